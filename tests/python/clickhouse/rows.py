"""OTLP/JSON requests as the rows that exporters write: the Collector's `clickhouseexporter`
and SigNoz's `clickhousetracesexporter`. Each row is a dictionary for `FORMAT JSONEachRow`.
"""

import base64
import json
import time

KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
STATUSES = ["Unset", "Ok", "Error"]
# SigNoz begins a bucket each half hour.
BUCKET = 1800
HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200


def raw(value):
    """A value of OTLP/JSON as Python's, as pdata's `AsRaw` is Go's."""
    (kind, inner), *_ = value.items() or [("", None)]
    if kind == "intValue":
        return int(inner)
    if kind == "doubleValue":
        return float(inner)
    if kind == "arrayValue":
        return [raw(entry) for entry in inner.get("values", [])]
    if kind == "kvlistValue":
        return attributes(inner.get("values", []))
    return inner


def attributes(pairs):
    return {pair["key"]: raw(pair.get("value") or {}) for pair in pairs or []}


def text(value):
    """What pdata's `AsString` makes of a value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, (list, dict)):
        plain = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=isinstance(value, dict))
        # Go's encoder escapes what HTML would take for markup.
        return plain.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return str(value)


def texts(values):
    return {key: text(value) for key, value in values.items()}


def paths(values, before=""):
    """The names of a nested map, as the JSON variant keeps them beside it."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from paths(value, f"{before}{key}.")
        else:
            yield before + key


def identifier(value):
    """Hexadecimal, or nothing for an id that is all zero. Some writers of OTLP/JSON use Base64."""
    value = value or ""
    if len(value) not in (0, 16, 32):
        value = base64.b64decode(value).hex()
    return value.lower() if value.strip("0") else ""


def seconds(nanoseconds):
    """A time as `DateTime64(9)` reads it: never negative, all nine digits."""
    return f"{nanoseconds // 10**9:010}.{nanoseconds % 10**9:09}"


def spans(requests):
    """(resource attributes, scope, span) of each span."""
    for request in requests:
        for of_resource in request.get("resourceSpans", []):
            resource = attributes(of_resource.get("resource", {}).get("attributes"))
            for of_scope in of_resource.get("scopeSpans", []):
                for span in of_scope.get("spans", []):
                    yield resource, of_scope.get("scope", {}), span


def collector(requests, attribute_columns, later):
    for resource, scope, span in spans(requests):
        start = int(span["startTimeUnixNano"])
        status, events, links = span.get("status", {}), span.get("events", []), span.get("links", [])
        own = attributes(span.get("attributes"))
        one = texts if attribute_columns == "map" else dict
        row = {
            "Timestamp": seconds(start + later),
            "TraceId": identifier(span.get("traceId")),
            "SpanId": identifier(span.get("spanId")),
            "ParentSpanId": identifier(span.get("parentSpanId")),
            "TraceState": span.get("traceState", ""),
            "SpanName": span.get("name", ""),
            "SpanKind": KINDS[span.get("kind", 0)],
            "ServiceName": text(resource.get("service.name")),
            "ResourceAttributes": one(resource),
            "ScopeName": scope.get("name", ""),
            "ScopeVersion": scope.get("version", ""),
            "SpanAttributes": one(own),
            # Two unsigned numbers are subtracted: what ends before it begins wraps around.
            "Duration": (int(span["endTimeUnixNano"]) - start) % 2**64,
            "StatusCode": STATUSES[status.get("code", 0)],
            "StatusMessage": status.get("message", ""),
            "Events.Timestamp": [seconds(int(event["timeUnixNano"]) + later) for event in events],
            "Events.Name": [event.get("name", "") for event in events],
            "Events.Attributes": [one(attributes(event.get("attributes"))) for event in events],
            "Links.TraceId": [identifier(link.get("traceId")) for link in links],
            "Links.SpanId": [identifier(link.get("spanId")) for link in links],
            "Links.TraceState": [link.get("traceState", "") for link in links],
            "Links.Attributes": [one(attributes(link.get("attributes"))) for link in links],
        }
        if attribute_columns == "json":
            row["ResourceAttributesKeys"] = sorted(set(paths(resource)))
            row["SpanAttributesKeys"] = sorted(set(paths(own)))
        yield row


def before(rows):
    """The words that the Collector's exporter used for kinds and statuses until pull request 34799 of 2024."""
    for row in rows:
        yield row | {
            "SpanKind": f"SPAN_KIND_{row['SpanKind'].upper()}",
            "StatusCode": f"STATUS_CODE_{row['StatusCode'].upper()}",
        }


def flattened(values, before=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{before}{key}.")
        else:
            yield before + key, value


def reference(trace_id, span_id, kind):
    """A field that is empty is left out, as Go's `omitempty` does."""
    return {key: value for key, value in (("traceId", trace_id), ("spanId", span_id), ("refType", kind)) if value}


def signoz_event(event, later):
    name, about = event.get("name", ""), texts(attributes(event.get("attributes")))
    fields = {
        "name": name,
        "timeUnixNano": int(event["timeUnixNano"]) + later,
        "attributeMap": about,
        "isError": name == "exception" or name.endswith(".exception"),
    }
    return json.dumps({key: value for key, value in fields.items() if value}, separators=(",", ":"))


def signoz(requests, later):
    for resource, scope, span in spans(requests):
        start = int(span["startTimeUnixNano"])
        status, flags, own = span.get("status", {}), span.get("flags", 0), attributes(span.get("attributes"))
        trace_id = identifier(span.get("traceId"))
        kind = span.get("kind", 0)
        by_type = {"attributes_string": {}, "attributes_number": {}, "attributes_bool": {}}
        for key, value in flattened(own):
            if isinstance(value, bool):
                by_type["attributes_bool"][key] = value
            elif isinstance(value, (int, float)):
                by_type["attributes_number"][key] = float(value)
            else:
                by_type["attributes_string"][key] = text(value)
        resources = texts(dict(flattened(resource)))
        # The parent comes first, and is there for a root too, with no span id.
        references = [reference(trace_id, identifier(span.get("parentSpanId")), "CHILD_OF")]
        for link in span.get("links", []):
            references.append(reference(identifier(link.get("traceId")), identifier(link.get("spanId")), "FOLLOWS_FROM"))
        at = start + later
        yield {
            "ts_bucket_start": at // 10**9 // BUCKET * BUCKET,
            # SigNoz adds a hash, by which nobody asks here.
            "resource_fingerprint": f"service.name={resources.get('service.name', '')};",
            "timestamp": seconds(at),
            "trace_id": trace_id,
            "span_id": identifier(span.get("spanId")),
            "trace_state": span.get("traceState", ""),
            "parent_span_id": identifier(span.get("parentSpanId")),
            "flags": flags,
            "name": span.get("name", ""),
            "kind": kind,
            "kind_string": KINDS[kind],
            "duration_nano": (int(span["endTimeUnixNano"]) - start) % 2**64,
            "status_code": status.get("code", 0),
            "status_message": status.get("message", ""),
            "status_code_string": STATUSES[status.get("code", 0)],
            **by_type,
            "resources_string": resources,
            "resource": resources,
            "scope": {"name": scope.get("name", ""), "version": scope.get("version", "")},
            "events": [signoz_event(event, later) for event in span.get("events", [])],
            "links": json.dumps(references, separators=(",", ":")),
            "response_status_code": text(own.get("http.status_code", own.get("http.response.status_code"))),
            "http_method": text(own.get("http.method", own.get("http.request.method"))),
            "http_url": text(own.get("http.url", own.get("url.full"))),
            "has_error": status.get("code", 0) == 2,
            "is_remote": "unknown" if not flags & HAS_IS_REMOTE else "yes" if flags & IS_REMOTE else "no",
            "inserted_at": f"{time.time():.3f}",
        }


def rows(layout, requests, ending_at=None):
    """The rows of `layout`. All times are moved so that the last span ends at `ending_at`
    (nanoseconds), or stay as they are.
    """
    requests = list(requests)
    later = 0
    if ending_at is not None:
        later = ending_at - max((int(span["endTimeUnixNano"]) for *_, span in spans(requests)), default=ending_at)
    if layout == "signoz":
        return signoz(requests, later)
    made = collector(requests, "json" if layout == "json" else "map", later)
    return before(made) if layout == "map-before" else made
