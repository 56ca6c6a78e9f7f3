//! Messages and results as they may be saved: reduced to what a diagnosis
//! needs, without arguments, return values, and values of baggage.

use serde_json::{Map, Value, json};

use super::body::TaskBody;
use super::bounded;
use super::envelope::Envelope;
use super::kept::{HIDDEN, context_under, contexts_of, ids_of};
use super::missing::missing_parts;
use super::result::{TRACEBACK, as_json, is_told, read_status};
use super::text::tail;
use crate::model::Part;

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
    let read = Envelope::decode(entry).ok()?;
    let body = redacted_body(&read);
    let missing = missing_parts(&read);
    let mut envelope = bounded::read(entry).ok()?;
    hide_custom(envelope["headers"].as_object_mut()?, read.headers.others.iter().map(|(name, _)| &**name));
    if let Some(properties) = envelope["properties"].as_object_mut() {
        hide_custom(properties, read.properties.others.iter().map(|(name, _)| &**name));
    }
    // What a message lacks is evidence too.
    if !missing.contains(Part::ContentType) {
        envelope["content-type"] = "application/json".into();
    }
    envelope["content-encoding"] = "utf-8".into();
    if !missing.contains(Part::Properties) {
        envelope["properties"]["body_encoding"] = Value::Null;
    }
    envelope["body"] = if missing.contains(Part::BodyEncoding) { UNTOLD_BASE64.into() } else { body };
    Some(envelope)
}

/// An empty body in Base64, for one whose Base64 no `body_encoding` tells of.
const UNTOLD_BASE64: &str = "W1tdLCB7fSwge31d";

/// Celery's own headers and properties of which no diagnosis needs the value,
/// and which may hold what is private.
const PRIVATE: [&str; 5] = ["compression", "shadow", "stamps", "stamped_headers", "user_id"];

/// Leaves the names of what an application has put among Celery's own, and the
/// values only where they are contexts.
fn hide_custom<'n>(members: &mut Map<String, Value>, custom: impl Iterator<Item = &'n str>) {
    PRIVATE.iter().for_each(|name| drop(members.remove(*name)));
    // What is read where the body cannot be.
    for repr in ["argsrepr", "kwargsrepr"] {
        if let Some(contexts) = members.remove(repr).as_ref().and_then(contexts_of) {
            members.insert(repr.to_owned(), contexts);
        }
    }
    let custom: Vec<_> = custom.collect();
    let own_ids: Vec<String> = {
        let values = custom.iter().filter_map(|name| Some((*name, members.get(*name)?)));
        ids_of(values).into_iter().map(str::to_owned).collect()
    };
    for name in custom.into_iter().filter(|name| own_ids.iter().all(|id| id != name)) {
        if let Some(value) = members.get_mut(name) {
            *value = context_under(name, value).unwrap_or_else(|| HIDDEN.into());
        }
    }
}

/// Headers of Celery's own in what a chain publishes next.
const CELERYS: [&str; 12] = [
    "lang",
    "task",
    "id",
    "root_id",
    "parent_id",
    "group",
    "origin",
    "eta",
    "expires",
    "retries",
    "timelimit",
    "ignore_result",
];

/// Arguments with nothing left in them but contexts.
fn only_contexts(arguments: &Value) -> Value {
    contexts_of(arguments).unwrap_or(Value::Null)
}

/// The body with its carriers and the next task of its chain, and nothing else.
fn redacted_body(envelope: &Envelope<'_>) -> Value {
    let Ok(body) = TaskBody::of(envelope) else { return Value::Null };
    let next = body.next_in_chain().map(|next| {
        let headers = next["options"]["headers"].as_object().map(|headers| {
            let kept = |(name, value): (&String, &Value)| {
                let value = match name.as_str() {
                    "argsrepr" | "kwargsrepr" => contexts_of(value)?,
                    name if CELERYS.contains(&name) => value.clone(),
                    name => context_under(name, value).unwrap_or_else(|| HIDDEN.into()),
                };
                Some((name.clone(), value))
            };
            headers.iter().filter_map(kept).collect::<Map<_, _>>()
        });
        json!({"task": next["task"], "options": {"headers": headers}})
    });
    match &body.value {
        Value::Array(_) => {
            let text =
                json!([only_contexts(body.args()), only_contexts(body.kwargs()), {"chain": next.map(|next| vec![next])}])
                    .to_string();
            Value::String(text)
        }
        Value::Object(fields) => {
            let mut kept: Map<_, _> = ["task", "id", "retries", "eta", "expires", "taskset"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())))
                .collect();
            kept.insert("args".to_owned(), only_contexts(body.args()));
            kept.insert("kwargs".to_owned(), only_contexts(body.kwargs()));
            Value::String(Value::Object(kept).to_string())
        }
        _ => Value::Null,
    }
}

/// A result without what the task returned.
pub fn redact_result(value: &[u8]) -> Vec<u8> {
    let Ok(Value::Object(fields)) = bounded::read(&as_json(value)) else { return b"{}".to_vec() };
    let mut kept: Map<_, _> = ["status", "traceback", "date_done", "task_id", "name", "worker", "retries"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), fields.get(name)?.clone())))
        .collect();
    // The end is what is read of it.
    if let Some(Value::String(traceback)) = kept.get_mut("traceback") {
        *traceback = tail(traceback, TRACEBACK).to_owned();
    }
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
    fn what_an_application_puts_into_a_message_is_its_own() {
        const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let carrier = json!({"traceparent": TRACEPARENT, "user_email": "bob@example.org"});
        let entry = json!({
            "body": json!([[TRACEPARENT, "bob", format!("{{'traceparent': '{TRACEPARENT}', 'who': 'bob'}}")], {"n": carrier.to_string()}, {}]).to_string(),
            "headers": {
                "task": "pay", "id": "1", "stamps": {"customer": "bob"}, "Authorization": "Bearer bob", "user_id": 4711,
                "trace_context": carrier.to_string(), "ot-tracer-traceid": "4bf92f3577b34da6",
                "otel_context": "{}", "traceparent": "",
            },
            "properties": {"x-tenant": "bob", "delivery_info": {"exchange": "", "routing_key": "celery"}},
        });
        let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
        for secret in ["bob", "4711"] {
            assert!(!redacted.contains(secret), "{redacted}");
        }
        // The argument, the repr, the text under `n`, and the header.
        assert_eq!(redacted.matches(TRACEPARENT).count(), 4, "{redacted}");
        for kept in
            ["ot-tracer-traceid", "4bf92f3577b34da6", r#""otel_context":"{}""#, r#""Authorization":"***""#]
        {
            assert!(redacted.contains(kept), "{kept}: {redacted}");
        }
    }

    #[test]
    fn ids_of_an_applications_own_are_kept_and_what_stands_beside_them_is_not() {
        const TRACE: &str = "277896087055150629367166123606433568090";
        let context = json!({"trace_id": TRACE, "span_id": 10_392_982_573_381_266_718_u64, "who": "bob"});
        let entry = json!({
            "body": json!([[TRACE, "10392982573381266718", "bob"], {"telemetry": {"links": [{"context": context}]}}, {}]).to_string(),
            "headers": {"task": "pay", "id": "1", "trace_id": TRACE, "span_id": "10392982573381266718", "who": "bob"},
            "properties": {},
        });
        let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
        assert!(!redacted.contains("bob"), "{redacted}");
        assert_eq!(redacted.matches(TRACE).count(), 3, "{redacted}");
        assert_eq!(redacted.matches("10392982573381266718").count(), 3, "{redacted}");
    }

    #[test]
    fn a_traceback_is_saved_as_far_as_it_is_read() {
        let traceback = format!("{}KeyError: 'traceparent'", "  password = 'bob'\n".repeat(1_000));
        let value = json!({"status": "FAILURE", "traceback": traceback, "result": {"exc_type": "KeyError"}});
        let redacted = redact_result(value.to_string().as_bytes());
        assert!(redacted.len() < 2 * TRACEBACK);
        assert!(String::from_utf8_lossy(&redacted).contains("KeyError: 'traceparent'"));
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
