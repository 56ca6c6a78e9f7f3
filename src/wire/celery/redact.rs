//! Messages and results as they may be saved: reduced to what a diagnosis
//! needs, without arguments, return values, and values of baggage.

use serde_json::{Map, Value, json};

use super::body::TaskBody;
use super::envelope::Envelope;

/// What stands for an entry that is no Celery message: its content is nobody's
/// business, and its place in the list is kept.
const NOT_A_MESSAGE: &str = "(not a Celery message)";

/// An entry of a queue without what is private.
pub fn redact_message(entry: &[u8]) -> Vec<u8> {
    redacted(entry)
        .map_or_else(|| NOT_A_MESSAGE.as_bytes().to_vec(), |envelope| envelope.to_string().into_bytes())
}

/// A value of `unacked` without what is private.
pub fn redact_unacked(value: &[u8]) -> Vec<u8> {
    let parts: Option<Vec<Value>> = serde_json::from_slice(value).ok();
    let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
        return NOT_A_MESSAGE.as_bytes().to_vec();
    };
    let envelope = redacted(parts[0].to_string().as_bytes()).unwrap_or(Value::Null);
    Value::Array([vec![envelope], parts[1..].to_vec()].concat()).to_string().into_bytes()
}

fn redacted(entry: &[u8]) -> Option<Value> {
    let body = redacted_body(&Envelope::decode(entry).ok()?);
    let mut envelope: Value = serde_json::from_slice(entry).ok()?;
    let headers = envelope["headers"].as_object_mut().map(|headers| {
        for private in ["argsrepr", "kwargsrepr", "compression"] {
            headers.remove(private);
        }
        hide_baggage(headers);
    });
    headers?;
    envelope["content-type"] = "application/json".into();
    envelope["content-encoding"] = "utf-8".into();
    envelope["properties"]["body_encoding"] = Value::Null;
    envelope["body"] = body;
    Some(envelope)
}

/// The body with its carriers and the next task of its chain, and nothing else.
fn redacted_body(envelope: &Envelope<'_>) -> Value {
    let Ok(body) = TaskBody::of(envelope) else { return Value::Null };
    let next = body
        .next_in_chain()
        .map(|next| json!({"task": next["task"], "options": {"headers": next["options"]["headers"]}}));
    match &body.value {
        Value::Array(_) => {
            let text = json!([carriers(body.args()), carriers(body.kwargs()), {"chain": next.map(|next| vec![next])}]).to_string();
            Value::String(text)
        }
        Value::Object(fields) => {
            let mut kept: Map<_, _> = ["task", "id", "retries", "eta", "expires", "taskset"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())))
                .collect();
            kept.insert("args".to_owned(), carriers(body.args()));
            kept.insert("kwargs".to_owned(), carriers(body.kwargs()));
            Value::String(Value::Object(kept).to_string())
        }
        _ => Value::Null,
    }
}

/// Names that hold a context; what lies under any other name is left out.
const CONTEXT_NAMES: [&str; 12] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-amzn-trace-id",
    "sentry-trace",
];

/// The same shape with nothing left in it but contexts.
fn carriers(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter_map(|(key, value)| {
                if CONTEXT_NAMES.contains(&key.to_ascii_lowercase().as_str()) {
                    return Some((key.clone(), value.clone()));
                }
                let inner = carriers(value);
                let is_empty =
                    inner.is_null() || inner.as_object().is_some_and(Map::is_empty) || inner == json!([]);
                (!is_empty).then(|| (key.clone(), inner))
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(carriers).collect(),
        Value::String(text) if CONTEXT_NAMES.iter().any(|name| text.contains(&format!("\"{name}\""))) => {
            let inner = serde_json::from_str(text).map(|inner| carriers(&inner));
            inner.map_or(Value::Null, |inner| Value::String(inner.to_string()))
        }
        _ => Value::Null,
    }
}

/// Replaces the values of baggage, in the headers and one level below.
fn hide_baggage(headers: &mut Map<String, Value>) {
    for (name, value) in headers {
        match value {
            Value::String(text) if name.eq_ignore_ascii_case("baggage") => {
                let keys = text
                    .split(',')
                    .filter_map(|entry| entry.split('=').next())
                    .map(|key| format!("{}=***", key.trim()));
                *value = keys.collect::<Vec<_>>().join(",").into();
            }
            Value::Object(inner) => hide_baggage(inner),
            _ => {}
        }
    }
}

/// A result without what the task returned.
pub fn redact_result(value: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(value) else { return b"{}".to_vec() };
    let mut kept: Map<_, _> = ["status", "traceback", "date_done", "task_id", "name", "worker", "retries"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())))
        .collect();
    let result = &fields.get("result").cloned().unwrap_or_default();
    kept.insert("result".to_owned(), json!({"exc_type": result["exc_type"], "exc_message": result["exc_message"], "hostname": result["hostname"]}));
    Value::Object(kept).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_private_is_gone_and_the_context_is_not() {
        let entry = json!({
            "body": r#"[["4111-1111"], {"card": "4111", "carrier": {"traceparent": "00-a", "user": "bob"}}, {"chain": null}]"#,
            "content-type": "application/json",
            "headers": {"task": "pay", "id": "1", "argsrepr": "['4111-1111']", "kwargsrepr": "{}", "baggage": "user=bob,tier=1"},
            "properties": {"delivery_info": {"exchange": "", "routing_key": "celery"}},
        });
        let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
        for secret in ["4111", "bob"] {
            assert!(!redacted.contains(secret), "{redacted}");
        }
        assert!(redacted.contains("00-a") && redacted.contains("user=***,tier=***"), "{redacted}");
        assert_eq!(redact_message(b"\x80secret"), NOT_A_MESSAGE.as_bytes());
    }

    #[test]
    fn a_return_value_is_not_saved() {
        let result = redact_result(br#"{"status": "SUCCESS", "result": {"card": "4111"}, "args": ["bob"]}"#);
        let text = String::from_utf8(result).expect("UTF-8");
        assert!(text.contains("SUCCESS") && !text.contains("4111") && !text.contains("bob"));
    }
}
