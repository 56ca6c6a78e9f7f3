"""Spans as the binary saves them: OTLP in JSON, a request a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from tracelink_cli.testing.model import Span

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
#: The attributes by which instrumentations name a task: their values are one id.
TASK_IDS = frozenset({"messaging.message.id", "messaging.message_id", "celery.task_id"})


def raw_spans(request: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each span of a request as it stands there, with its resource."""
    for of_resource in request.get("resourceSpans", ()):
        for of_scope in of_resource.get("scopeSpans", ()):
            for raw in of_scope.get("spans", ()):
                yield of_resource.get("resource", {}), raw


def only(line: bytes, traces: frozenset[str]) -> bytes:
    """The request of a line with the spans of these traces alone."""
    request = json.loads(line)
    for of_resource in request.get("resourceSpans", ()):
        for of_scope in of_resource.get("scopeSpans", ()):
            of_scope["spans"] = [raw for raw in of_scope.get("spans", ()) if raw["traceId"] in traces]
    return json.dumps(request, separators=(",", ":")).encode() + b"\n"


def task_ids(raw: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the tasks that a span is about."""
    for attribute in raw.get("attributes", ()):
        if attribute["key"] in TASK_IDS:
            value = attribute.get("value", {}).get("stringValue")
            if value:
                yield value


def span(resource: Mapping[str, Any], raw: Mapping[str, Any]) -> Span:
    """A span of a request."""
    service = _attributes(resource).get("service.name")
    return Span(
        trace_id=raw["traceId"],
        span_id=raw["spanId"],
        parent_id=raw.get("parentSpanId") or None,
        service=str(service) if service is not None else "",
        name=raw.get("name", ""),
        kind=_name(KINDS, raw.get("kind")),
        start=int(raw.get("startTimeUnixNano", 0)),
        end=int(raw.get("endTimeUnixNano", 0)),
        status=_name(STATUSES, raw.get("status", {}).get("code")),
        attributes=_attributes(raw),
    )


def _name(names: tuple[str, ...], number: Optional[int]) -> str:
    number = number or 0
    return names[number] if number < len(names) else names[0]


def _attributes(holder: Mapping[str, Any]) -> dict[str, Any]:
    pairs = ((pair["key"], _value(pair.get("value", {}))) for pair in holder.get("attributes", ()))
    return {key: value for key, value in pairs if not key.startswith("tracelink.")}


def _value(value: Mapping[str, Any]) -> Any:
    if "intValue" in value:
        return int(value["intValue"])
    if "arrayValue" in value:
        return tuple(_value(each) for each in value["arrayValue"].get("values", ()))
    if "kvlistValue" in value:
        return {pair["key"]: _value(pair.get("value", {})) for pair in value["kvlistValue"].get("values", ())}
    return next(iter(value.values()), None)
