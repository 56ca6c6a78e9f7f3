//! Messages and results as they may be saved: reduced to what a diagnosis
//! needs, without arguments, return values, and values of baggage.

use serde_json::{Map, Value, json};

use super::body::TaskBody;
use super::bounded;
use super::envelope::Envelope;
use super::result::{as_json, is_told, read_status};
use super::wrapping::python_dict;

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
    let parts = match bounded::read(value) {
        Ok(Value::Array(parts)) if !parts.is_empty() => parts,
        _ => return NOT_A_MESSAGE.as_bytes().to_vec(),
    };
    let envelope = redacted(parts[0].to_string().as_bytes()).unwrap_or(Value::Null);
    Value::Array([vec![envelope], parts[1..].to_vec()].concat()).to_string().into_bytes()
}

fn redacted(entry: &[u8]) -> Option<Value> {
    let body = redacted_body(&Envelope::decode(entry).ok()?);
    let mut envelope = bounded::read(entry).ok()?;
    let headers = envelope["headers"].as_object_mut().map(|headers| {
        for private in ["argsrepr", "kwargsrepr", "compression"] {
            headers.remove(private);
        }
    });
    headers?;
    hide_baggage(&mut envelope["headers"]);
    hide_baggage(&mut envelope["properties"]);
    envelope["content-type"] = "application/json".into();
    envelope["content-encoding"] = "utf-8".into();
    envelope["properties"]["body_encoding"] = Value::Null;
    envelope["body"] = body;
    Some(envelope)
}

/// The body with its carriers and the next task of its chain, and nothing else.
fn redacted_body(envelope: &Envelope<'_>) -> Value {
    let Ok(body) = TaskBody::of(envelope) else { return Value::Null };
    let next = body.next_in_chain().map(|next| {
        let mut headers = next["options"]["headers"].clone();
        if let Some(headers) = headers.as_object_mut() {
            headers.retain(|name, _| !matches!(name.as_str(), "argsrepr" | "kwargsrepr"));
        }
        hide_baggage(&mut headers);
        json!({"task": next["task"], "options": {"headers": headers}})
    });
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
                let is_plain = value.is_string() || value.is_number();
                if is_plain && CONTEXT_NAMES.contains(&key.to_ascii_lowercase().as_str()) {
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
            let inner = bounded::read(text.as_bytes()).map(|inner| carriers(&inner));
            inner.map_or(Value::Null, |inner| Value::String(inner.to_string()))
        }
        _ => Value::Null,
    }
}

/// Replaces the values of baggage wherever a carrier may hold some: as a
/// member, as a pair, and in a text in which a carrier is wrapped.
fn hide_baggage(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if is_baggage(name) { hide(value) } else { hide_baggage(value) }
            }
        }
        Value::Array(list) => match &mut list[..] {
            [Value::String(name), value] if is_baggage(name) => hide(value),
            list => list.iter_mut().for_each(hide_baggage),
        },
        Value::String(text) if text.to_ascii_lowercase().contains(BAGGAGE) => *text = without_baggage(text),
        _ => {}
    }
}

const BAGGAGE: &str = "baggage";

fn is_baggage(name: &str) -> bool {
    name.eq_ignore_ascii_case(BAGGAGE)
}

fn hide(value: &mut Value) {
    let Value::String(text) = value else {
        *value = "***".into();
        return;
    };
    let keys = text.split(',').filter_map(|entry| entry.split('=').next());
    *text = keys.map(|key| format!("{}=***", key.trim())).collect::<Vec<_>>().join(",");
}

/// A text that speaks of baggage: JSON, the `str()` of a dict, or something
/// else, of which nothing can be kept.
fn without_baggage(text: &str) -> String {
    if let Ok(mut inner) = bounded::read(text.as_bytes()) {
        hide_baggage(&mut inner);
        return inner.to_string();
    }
    let mut members = python_dict(text);
    if members.is_empty() {
        return "***".to_owned();
    }
    let members = members.iter_mut().map(|(name, value)| {
        if is_baggage(name) {
            hide(value)
        } else {
            hide_baggage(value)
        }
        format!("'{name}': '{}'", value.as_str().unwrap_or_default())
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

/// A result without what the task returned.
pub fn redact_result(value: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(fields)) = bounded::read(&as_json(value)) else { return b"{}".to_vec() };
    let mut kept: Map<_, _> = ["status", "traceback", "date_done", "task_id", "name", "worker", "retries"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())))
        .collect();
    // What a task returned is private, whatever it looks like.
    let status = fields.get("status").and_then(Value::as_str).map(read_status);
    let is_told = status.is_some_and(|status| is_told(&status));
    let result = &fields.get("result").filter(|_| is_told).cloned().unwrap_or_default();
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
    fn baggage_is_hidden_however_it_is_wrapped() {
        let carrier = json!({"traceparent": "00-a", "Baggage": "user=bob,tier=1"});
        let repr = "{'traceparent': '00-a', 'baggage': 'user=bob'}";
        let wrapped = [
            carrier.clone(),
            json!({"__type__": "bytes", "__value__": carrier.to_string()}),
            json!(carrier.to_string()),
            json!(json!(carrier.to_string()).to_string()),
            json!(repr),
            json!([["traceparent", "00-a"], ["baggage", "user=bob"]]),
            json!({"traceparent": "00-a", "baggage": {"user": "bob"}}),
        ];
        for wrapped in wrapped {
            let chain =
                json!([{"task": "next", "options": {"headers": {"ctx": wrapped, "argsrepr": "('bob',)"}}}]);
            let entry = json!({
                "body": json!([[], {}, {"chain": chain}]).to_string(),
                "content-type": "application/json",
                "headers": {"task": "pay", "id": "1", "headers": {"ctx": wrapped}, "trace_context": wrapped},
                "properties": {"trace_context": wrapped},
            });
            let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
            assert!(!redacted.contains("bob"), "{wrapped}: {redacted}");
            assert_eq!(redacted.matches("00-a").count(), 4, "{wrapped}: {redacted}");
        }
        let entry = json!({"headers": {"task": "pay", "id": "1", "note": "baggage of bob: none"}});
        let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
        assert!(!redacted.contains("bob"), "{redacted}");
    }

    #[test]
    fn an_argument_that_is_called_as_a_context_is_kept_where_it_may_be_one() {
        let entry = json!({
            "body": json!([[], {"b3": {"card": "4111"}, "carrier": {"b3": "0"}}, {}]).to_string(),
            "headers": {"task": "pay", "id": "1"},
        });
        let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
        assert!(!redacted.contains("4111") && redacted.contains(r#"\"b3\":\"0\""#), "{redacted}");
    }

    #[test]
    fn a_return_value_is_not_saved() {
        let result = redact_result(br#"{"status": "SUCCESS", "result": {"card": "4111"}, "args": ["bob"]}"#);
        let text = String::from_utf8(result).expect("UTF-8");
        assert!(text.contains("SUCCESS") && !text.contains("4111") && !text.contains("bob"));
        // A pickled object has a class and arguments as an exception has.
        let object = b"\x80\x04}(\x8c\x06status\x8c\x07SUCCESS\x8c\x06result\x8c\x01m\x8c\x04Card\x93\x8c\x044111\x85Ru.";
        let text = String::from_utf8(redact_result(object)).expect("UTF-8");
        assert!(text.contains("SUCCESS") && !text.contains("4111") && !text.contains("Card"), "{text}");
    }
}
