//! Messages and results as they may be saved: built anew from what a diagnosis reads,
//! without arguments, return values, the values of baggage, and the texts of exceptions.
//! What is not named here is not saved, whatever it is.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::body::TaskBody;
use super::context_search::{ContextSearch, Kept};
use super::envelope::{Envelope, Headers, Properties};
use super::lenient::{self, Number};
use super::missing::missing_parts;
use super::result::{Meta, as_json, exception, read_status, read_time};
use super::text::{NAME, cut};
use super::traceback;
use crate::model::{HIDDEN, MissingParts, Part};

/// Replaces an entry that is no Celery message: its content is private, but its place in
/// the list is kept.
const NOT_A_MESSAGE: &str = "(not a Celery message)";

/// An entry of a queue without private data.
pub fn redact_message(entry: &[u8]) -> Vec<u8> {
    Envelope::decode(entry)
        .map_or_else(|_| NOT_A_MESSAGE.as_bytes().to_vec(), |envelope| written(&redacted(&envelope)))
}

/// A value of `unacked` without private data: the message, and where it goes.
pub fn redact_unacked(value: &[u8]) -> Vec<u8> {
    let read = || {
        let parts: Vec<&RawValue> = serde_json::from_slice(value).ok()?;
        let envelope = Envelope::decode(parts.first()?.get().as_bytes()).ok()?;
        let Properties { exchange, routing_key, .. } = &envelope.properties;
        let [exchange, routing_key] =
            [exchange, routing_key].map(|place| place.as_deref().map(|place| cut(place, NAME)));
        Some(written(&(redacted(&envelope), exchange, routing_key)))
    };
    read().unwrap_or_else(|| NOT_A_MESSAGE.as_bytes().to_vec())
}

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("texts and numbers are JSON")
}

/// What is saved of a message.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Redacted {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    content_encoding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    headers: Members,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Members>,
}

fn redacted(envelope: &Envelope<'_>) -> Redacted {
    // What a message lacks is evidence too.
    let missing = missing_parts(envelope);
    let has = |part| !missing.contains(part);
    // If nobody can read the body, the reprs in the headers count.
    let decoded = TaskBody::of(envelope).ok();
    let searched = ContextSearch::keeping().message(envelope, decoded.as_ref());
    let body = match &decoded {
        _ if missing.contains(Part::BodyEncoding) => Some(UNTOLD_BASE64.to_owned()),
        Some(body) => Some(redacted_body(body, searched.args, searched.kwargs).to_string()),
        None => None,
    };
    Redacted {
        body,
        content_encoding: "utf-8",
        content_type: has(Part::ContentType).then_some("application/json"),
        headers: redacted_headers(&envelope.headers, searched.headers, searched.reprs),
        properties: has(Part::Properties)
            .then(|| redacted_properties(&envelope.properties, searched.properties, missing)),
    }
}

/// An empty body in Base64, for a body whose Base64 is not declared in `body_encoding`.
const UNTOLD_BASE64: &str = "W1tdLCB7fSwge31d";

/// Members in their order, which determines the order of contexts in a report.
#[derive(Default)]
struct Members(Vec<(String, Value)>);

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl From<Members> for Value {
    fn from(members: Members) -> Self {
        Self::Object(members.0.into_iter().collect())
    }
}

impl Members {
    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        self.0.extend(value.map(|value| (name.to_owned(), value.into())));
    }

    fn name(&mut self, name: &str, text: Option<&str>) {
        self.put(name, text.map(|text| cut(text, NAME)));
    }

    /// A time. If it is not one, only that something was there.
    fn time(&mut self, name: &str, text: Option<&str>) {
        self.put(name, text.map(|text| if read_time(text).is_some() { text } else { HIDDEN }));
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        self.put(name, is_set.then_some(true));
    }
}

fn redacted_headers(
    headers: &Headers<'_>,
    custom: Vec<(String, Value)>,
    reprs: [Option<String>; 2],
) -> Members {
    let mut redacted = Members(custom);
    for (name, text) in [
        ("task", &headers.task),
        ("id", &headers.id),
        ("root_id", &headers.root_id),
        ("parent_id", &headers.parent_id),
        ("group", &headers.group),
        ("origin", &headers.origin),
        ("lang", &headers.lang),
    ] {
        redacted.name(name, text.as_deref());
    }
    redacted.time("eta", headers.eta.as_deref());
    redacted.time("expires", headers.expires.as_deref());
    redacted.put("retries", Some(headers.retries.count()).filter(|retries| *retries > 0));
    redacted.flag("redelivered", headers.redelivered.is_true());
    redacted.flag("celery_beat_task", headers.beat.is_true());
    // Read when the body cannot be, and also a sign of Celery itself.
    let given = [("argsrepr", headers.args_repr), ("kwargsrepr", headers.kwargs_repr)];
    for ((name, given), kept) in given.into_iter().zip(reprs) {
        redacted.put(name, given.map(|_| kept.unwrap_or_else(|| HIDDEN.into())));
    }
    redacted
}

fn redacted_properties(
    properties: &Properties<'_>,
    custom: Vec<(String, Value)>,
    missing: MissingParts,
) -> Members {
    let mut redacted = Members(custom);
    redacted.name("correlation_id", properties.correlation_id.as_deref());
    // A tag is a UUID or a number.
    let tag = properties.delivery_tag.map(|tag| lenient::scalar(tag).unwrap_or(Cow::Borrowed(HIDDEN)));
    redacted.name("delivery_tag", tag.as_deref());
    let mut delivery = Members::default();
    for (name, text) in [("exchange", &properties.exchange), ("routing_key", &properties.routing_key)] {
        let text = text.as_deref();
        delivery.name(name, text.or_else(|| (!missing.contains(Part::DeliveryInfo)).then_some("")));
    }
    delivery.flag("redelivered", properties.redelivered.is_true());
    redacted.put("delivery_info", Some(delivery));
    redacted
}

/// The body with its carriers and the tasks that travel in it, and nothing else.
fn redacted_body(body: &TaskBody, args: Kept, kwargs: Kept) -> Value {
    match &body.value {
        Value::Array(parts) => {
            let embed = parts.get(2).unwrap_or(&Value::Null);
            let list = |name: &str| embed[name].as_array().map(|list| list.iter().map(signature).collect());
            let lists: [Option<Vec<Value>>; 3] = ["chain", "callbacks", "errbacks"].map(list);
            let [chain, callbacks, errbacks] = lists;
            let chord = signature(&embed["chord"]);
            json!([args, kwargs, {"callbacks": callbacks, "errbacks": errbacks, "chain": chain, "chord": chord}])
        }
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let mut redacted = Members::default();
            ["task", "id", "root_id", "parent_id", "taskset"]
                .into_iter()
                .for_each(|name| redacted.name(name, text(name)));
            ["eta", "expires"].into_iter().for_each(|name| redacted.time(name, text(name)));
            redacted.put("retries", fields.get("retries").and_then(Value::as_u64));
            redacted.put("args", Some(args));
            redacted.put("kwargs", Some(kwargs));
            redacted.into()
        }
        // It has no arguments, and as a text (`null`, `3456`) it would look like Base64.
        _ => json!([]),
    }
}

/// The signature of a task that is published later: its name, and the contexts of
/// its headers.
fn signature(value: &Value) -> Value {
    let Some(task) = value["task"].as_str() else { return Value::Null };
    let headers = value["options"]["headers"].as_object().map(|headers| {
        let members = headers.iter().map(|(name, value)| (name.as_str(), value));
        let mut redacted = ContextSearch::keeping().headers(members);
        redacted.retain(|(_, value)| value != HIDDEN);
        Value::from(Members(redacted))
    });
    json!({"task": cut(task, NAME), "options": {"headers": headers}})
}

/// A result without what the task returned, and without the application's texts.
pub fn redact_result(value: &[u8]) -> Vec<u8> {
    let json = as_json(value);
    let Ok(meta) = Meta::of(&json) else { return b"{}".to_vec() };
    let status = read_status(meta.status());
    let mut redacted = Members::default();
    redacted.name("status", Some(meta.status()));
    redacted.name("name", meta.name.as_deref());
    redacted.name("worker", meta.worker.as_deref());
    redacted.time("date_done", meta.date_done.as_deref());
    redacted.put("retries", meta.retries.map(Number::count));
    redacted
        .put("traceback", meta.traceback.as_deref().and_then(traceback::failed_at).map(traceback::redacted));
    // What a task returned is private, whatever it looks like.
    let result = meta.fields(&status);
    if !result.is_null() {
        let raised = exception(&result).map(|raised| raised.redacted());
        let raised = raised.as_ref().map(|raised| (&*raised.kind, &*raised.message)).unzip();
        let host = result["hostname"].as_str().map(|host| cut(host, NAME));
        redacted
            .put("result", Some(json!({"exc_type": raised.0, "exc_message": raised.1, "hostname": host})));
    }
    written(&redacted)
}

#[cfg(test)]
mod tests {
    use super::super::result::read_result;
    use super::*;
    use crate::model::FailedAt;

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
    fn an_argument_that_is_called_as_a_context_is_kept_where_it_is_one() {
        const B3: &str = "463ac35c9f6413ad-a2fb4a1d1a96d312-1";
        let entry = json!({
            "body": json!([[], {"b3": {"card": "4111"}, "cells": {"b3": "4111"}, "carrier": {"b3": B3}}, {}]).to_string(),
            "headers": {"task": "pay", "id": "1"},
        });
        let redacted = String::from_utf8(redact_message(entry.to_string().as_bytes())).expect("UTF-8");
        assert!(!redacted.contains("4111") && redacted.contains(B3), "{redacted}");
    }

    #[test]
    fn what_an_application_puts_into_a_message_is_its_own() {
        const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let carrier = json!({"traceparent": TRACEPARENT, "user_email": "bob@example.org"});
        let entry = |trace_context: &str| {
            json!({
                "body": json!([[TRACEPARENT, "bob", format!("{{'traceparent': '{TRACEPARENT}', 'who': 'bob'}}")], {"n": carrier.to_string()}, {}]).to_string(),
                "headers": {
                    "task": "pay", "id": "1", "stamps": {"customer": "bob"}, "Authorization": "Bearer bob", "user_id": 4711,
                    "trace_context": trace_context, "ot-tracer-traceid": "4bf92f3577b34da6",
                    "otel_context": "{}", "traceparent": "",
                },
                "properties": {"x-tenant": "bob", "delivery_info": {"exchange": "", "routing_key": "celery"}},
            })
        };
        let redacted = |trace_context: &str| {
            let redacted = redact_message(entry(trace_context).to_string().as_bytes());
            let redacted = String::from_utf8(redacted).expect("UTF-8");
            for secret in ["bob", "4711"] {
                assert!(!redacted.contains(secret), "{redacted}");
            }
            redacted
        };
        // The argument, the repr, and the text under `n`; where a header has one, arguments are
        // not read.
        assert_eq!(redacted("bob").matches(TRACEPARENT).count(), 3);
        let redacted = redacted(&carrier.to_string());
        assert_eq!(redacted.matches(TRACEPARENT).count(), 1, "{redacted}");
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
    fn of_a_failure_is_saved_what_is_read() {
        let traceback = format!("{}KeyError: 'traceparent'", "  password = 'bob'\n".repeat(1_000));
        let result = json!({"exc_type": "TypeError", "exc_message": ["bob: the JSON object must be str"]});
        let value = json!({"status": "FAILURE", "traceback": traceback, "result": result}).to_string();
        let redacted = redact_result(value.as_bytes());
        assert!(!String::from_utf8_lossy(&redacted).contains("bob"));
        let [live, saved] =
            [value.as_bytes(), &redacted].map(|value| read_result("1", value).expect("a result"));
        assert_eq!(live.failed_at, Some(FailedAt::Context));
        assert_eq!(live.redacted(), saved);
    }

    /// Regression: what a task returned was parsed before it was left out, and the result was
    /// not saved where it nests deep, has very many values or is no text.
    #[test]
    fn a_result_is_saved_whatever_was_returned() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let many = format!("[{}0]", "0,".repeat(150_000));
        for returned in [deep.as_bytes(), many.as_bytes(), b"\"\xff\""] {
            let value = [b"{\"status\": \"SUCCESS\", \"args\": ", returned, b"}"].concat();
            assert_eq!(redact_result(&value), br#"{"status":"SUCCESS"}"#);
        }
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
