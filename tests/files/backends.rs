//! Writes spans as backends hand them out, from OTLP/JSON: with tags where
//! OpenTelemetry's own translators put them
//! (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/translator>).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// A span with the resource and the scope that it came with.
struct Found<'a> {
    resource: &'a Value,
    scope: &'a Value,
    span: &'a Value,
}

fn each<'a>(requests: &'a [Value], mut take: impl FnMut(Found<'a>)) {
    for resource in requests.iter().flat_map(|request| list(&request["resourceSpans"])) {
        for scope in list(&resource["scopeSpans"]) {
            for span in list(&scope["spans"]) {
                take(Found { resource: &resource["resource"], scope: &scope["scope"], span });
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Attributes with the value as JSON has it, and its type as Jaeger names it.
fn attributes(of: &Value) -> Vec<(&str, &'static str, Value)> {
    let read = |value: &Value| {
        if let Some(text) = value.get("stringValue") {
            ("string", text.clone())
        } else if let Some(flag) = value.get("boolValue") {
            ("bool", flag.clone())
        } else if let Some(number) = value.get("intValue") {
            let number = number.as_str().map_or_else(|| number.as_i64(), |text| text.parse().ok());
            ("int64", json!(number))
        } else if let Some(number) = value.get("doubleValue") {
            ("float64", number.clone())
        } else {
            ("string", value.to_string().into())
        }
    };
    let pairs = list(&of["attributes"]).iter();
    pairs
        .map(|pair| {
            let (kind, value) = read(&pair["value"]);
            (text(&pair["key"]), kind, value)
        })
        .collect()
}

fn kind(span: &Value) -> Option<&'static str> {
    match &span["kind"] {
        kind if kind == 1 || kind == "SPAN_KIND_INTERNAL" => Some("internal"),
        kind if kind == 2 || kind == "SPAN_KIND_SERVER" => Some("server"),
        kind if kind == 3 || kind == "SPAN_KIND_CLIENT" => Some("client"),
        kind if kind == 4 || kind == "SPAN_KIND_PRODUCER" => Some("producer"),
        kind if kind == 5 || kind == "SPAN_KIND_CONSUMER" => Some("consumer"),
        _ => None,
    }
}

fn status(span: &Value) -> Option<&'static str> {
    match &span["status"]["code"] {
        code if code == 1 || code == "STATUS_CODE_OK" => Some("OK"),
        code if code == 2 || code == "STATUS_CODE_ERROR" => Some("ERROR"),
        _ => None,
    }
}

fn micros(time: &Value) -> u64 {
    let nanos = time.as_str().map_or_else(|| time.as_u64(), |text| text.parse().ok());
    nanos.unwrap_or_default() / 1_000
}

fn service(resource: &Value) -> String {
    let name = attributes(resource).into_iter().find(|(key, ..)| *key == "service.name");
    name.map_or_else(|| "OTLPResourceNoServiceName".to_owned(), |(_, _, name)| text(&name).to_owned())
}

/// As Jaeger's page downloads them.
pub fn jaeger(requests: &[Value]) -> Value {
    let tag = |key: &str, kind: &str, value: Value| json!({ "key": key, "type": kind, "value": value });
    let tags = |of: &Value| -> Vec<Value> {
        attributes(of).into_iter().map(|(key, kind, value)| tag(key, kind, value)).collect()
    };
    let mut traces: BTreeMap<String, (Vec<Value>, Map<String, Value>)> = BTreeMap::new();
    each(requests, |Found { resource, scope, span }| {
        let trace_id = text(&span["traceId"]).to_owned();
        let (spans, processes) = traces.entry(trace_id.clone()).or_default();
        let mut process_tags = tags(resource);
        process_tags.retain(|tag| tag["key"] != "service.name");
        let process = json!({ "serviceName": service(resource), "tags": process_tags });
        let known = processes.iter().find(|(_, known)| **known == process).map(|(id, _)| id.clone());
        let process_id = known.unwrap_or_else(|| {
            let id = format!("p{}", processes.len() + 1);
            processes.insert(id.clone(), process);
            id
        });
        let mut own = tags(span);
        for (key, value) in [("otel.scope.name", &scope["name"]), ("otel.scope.version", &scope["version"])] {
            own.extend(value.as_str().map(|text| tag(key, "string", text.into())));
        }
        own.extend(kind(span).map(|kind| tag("span.kind", "string", kind.into())));
        own.extend(status(span).map(|code| tag("otel.status_code", "string", code.into())));
        if status(span) == Some("ERROR") {
            own.push(tag("error", "bool", true.into()));
        }
        for (key, value) in
            [("otel.status_description", &span["status"]["message"]), ("w3c.tracestate", &span["traceState"])]
        {
            own.extend(value.as_str().map(|text| tag(key, "string", text.into())));
        }
        let reference = |kind: &str, trace: &Value, span: &Value| json!({ "refType": kind, "traceID": trace, "spanID": span });
        let parent = &span["parentSpanId"];
        let mut references = Vec::new();
        if !text(parent).is_empty() {
            references.push(reference("CHILD_OF", &span["traceId"], parent));
        }
        references.extend(
            list(&span["links"])
                .iter()
                .map(|link| reference("FOLLOWS_FROM", &link["traceId"], &link["spanId"])),
        );
        let logs = list(&span["events"]).iter().map(|event| {
            let mut fields = vec![tag("event", "string", event["name"].clone())];
            fields.extend(tags(event));
            json!({ "timestamp": micros(&event["timeUnixNano"]), "fields": fields })
        });
        let start = micros(&span["startTimeUnixNano"]);
        spans.push(json!({
            "traceID": trace_id, "spanID": span["spanId"], "operationName": span["name"],
            "references": references, "startTime": start,
            "duration": micros(&span["endTimeUnixNano"]).saturating_sub(start),
            "tags": own, "logs": logs.collect::<Vec<_>>(), "processID": process_id, "warnings": null,
        }));
    });
    let traces = traces.into_iter().map(|(id, (spans, processes))| {
        json!({ "traceID": id, "spans": spans, "processes": processes, "warnings": null })
    });
    json!({ "data": traces.collect::<Vec<_>>(), "total": 0, "limit": 0, "offset": 0, "errors": null })
}

/// As Zipkin's API answers them, written by the Collector.
pub fn zipkin(requests: &[Value]) -> Value {
    let as_text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let mut spans = Vec::new();
    each(requests, |Found { resource, scope, span }| {
        let mut tags = Map::new();
        for (key, _, value) in attributes(resource).into_iter().chain(attributes(span)) {
            if key != "service.name" {
                tags.insert(key.to_owned(), as_text(value).into());
            }
        }
        for (key, value) in [
            ("otel.library.name", &scope["name"]),
            ("otel.library.version", &scope["version"]),
            ("otel.status_description", &span["status"]["message"]),
            ("w3c.tracestate", &span["traceState"]),
        ] {
            if let Some(text) = value.as_str() {
                tags.insert(key.to_owned(), text.into());
            }
        }
        if kind(span) == Some("internal") {
            tags.insert("span.kind".to_owned(), "internal".into());
        }
        if let Some(code) = status(span) {
            tags.insert("otel.status_code".to_owned(), if code == "OK" { "Ok" } else { "Error" }.into());
        }
        if status(span) == Some("ERROR") {
            tags.insert("error".to_owned(), "true".into());
        }
        for (number, link) in list(&span["links"]).iter().enumerate() {
            let link = format!("{}|{}||{{}}|0", text(&link["traceId"]), text(&link["spanId"]));
            tags.insert(format!("otlp.link.{number}"), link.into());
        }
        let annotations = list(&span["events"]).iter().map(|event| {
            let attributes: Map<_, _> =
                attributes(event).into_iter().map(|(key, _, value)| (key.to_owned(), value)).collect();
            let value = format!("{}|{}|0", text(&event["name"]), Value::Object(attributes));
            json!({ "timestamp": micros(&event["timeUnixNano"]), "value": value })
        });
        let start = micros(&span["startTimeUnixNano"]);
        let mut written = json!({
            "traceId": span["traceId"], "id": span["spanId"], "name": span["name"], "timestamp": start,
            "duration": micros(&span["endTimeUnixNano"]).saturating_sub(start),
            "localEndpoint": { "serviceName": service(resource) },
            "annotations": annotations.collect::<Vec<_>>(), "tags": tags,
        });
        if !text(&span["parentSpanId"]).is_empty() {
            written["parentId"] = span["parentSpanId"].clone();
        }
        if let Some(kind) = kind(span).filter(|kind| *kind != "internal") {
            written["kind"] = kind.to_uppercase().into();
        }
        spans.push(written);
    });
    spans.into()
}

/// As Tempo answers them: without flags, which it does not store, and as protobuf's own JSON
/// has ids and enums.
pub fn tempo(requests: &[Value]) -> Value {
    let mut batches: Vec<_> =
        requests.iter().flat_map(|request| list(&request["resourceSpans"])).cloned().collect();
    for batch in &mut batches {
        let scopes = batch["scopeSpans"].as_array_mut().into_iter().flatten();
        for span in scopes.flat_map(|scope| scope["spans"].as_array_mut().into_iter().flatten()) {
            without_flags(span);
            let links = span["links"].as_array_mut().map(std::mem::take).unwrap_or_default();
            for ids in std::iter::once(&mut *span).chain(&mut links.clone()) {
                in_base64(ids);
            }
            if !links.is_empty() {
                span["links"] = links
                    .into_iter()
                    .map(|mut link| {
                        without_flags(&mut link);
                        in_base64(&mut link);
                        link
                    })
                    .collect();
            }
        }
    }
    json!({ "batches": batches })
}

fn without_flags(of: &mut Value) {
    if let Some(fields) = of.as_object_mut() {
        fields.remove("flags");
        if let Some(kind) = fields.get("kind").and_then(Value::as_u64) {
            let names = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
            let name = usize::try_from(kind).ok().and_then(|kind| names.get(kind)).unwrap_or(&names[0]);
            fields.insert("kind".to_owned(), format!("SPAN_KIND_{name}").into());
        }
    }
}

/// As Grafana downloads a trace of Tempo: a batch a service, with the scope of its first
/// span, times as numbers, and the names from before OTLP 1.0.
pub fn grafana(requests: &[Value]) -> Value {
    let mut batches: Vec<(String, Value)> = Vec::new();
    each(requests, |Found { resource, scope, span }| {
        let service = service(resource);
        let place = batches.iter().position(|(known, _)| *known == service).unwrap_or_else(|| {
            let library = json!({ "instrumentationLibrary": scope, "spans": [] });
            batches
                .push((service, json!({ "resource": resource, "instrumentationLibrarySpans": [library] })));
            batches.len() - 1
        });
        let mut span = span.clone();
        without_flags(&mut span);
        span["kind"] = json!(match kind(&span) {
            Some("internal") => 1,
            Some("server") => 2,
            Some("client") => 3,
            Some("producer") => 4,
            Some("consumer") => 5,
            _ => 0,
        });
        for key in ["startTimeUnixNano", "endTimeUnixNano"] {
            // As milliseconds in a double, times a million.
            span[key] = json!(micros(&span[key]) * 1_000);
        }
        let spans = &mut batches[place].1["instrumentationLibrarySpans"][0]["spans"];
        spans.as_array_mut().expect("it was made").push(span);
    });
    json!({ "batches": batches.into_iter().map(|(_, batch)| batch).collect::<Vec<_>>() })
}

fn in_base64(of: &mut Value) {
    for key in ["traceId", "spanId", "parentSpanId"] {
        let Some(hex) = of[key].as_str().map(str::to_owned) else { continue };
        let digits = |at: usize| hex.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(digits).collect();
        // What is no id stays what it is.
        if let Some(bytes) = bytes {
            of[key] = BASE64.encode(bytes).into();
        }
    }
}
