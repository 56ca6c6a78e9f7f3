use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{ContextFormat, Encoding, NextTask, Sampling, SpanContext, SpanId, TraceId};
use crate::wire::celery::unacked_envelope;

/// A message of Celery 5.7 under the instrumentor, as it lay in Redis.
const REAL: &str = r#"{"body": "W1sib3JkZXJfdTEyM19wNDU2IiwgeyJ1c2VyX2lkIjogInUxMjMiLCAicHJvZHVjdF9pZCI6ICJwNDU2IiwgInF1YW50aXR5IjogMn1dLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=", "content-encoding": "utf-8", "content-type": "application/json", "headers": {"lang": "py", "task": "process_order", "id": "d580ee63-5e29-49b3-aef9-d4937b4c5aea", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "d580ee63-5e29-49b3-aef9-d4937b4c5aea", "parent_id": null, "argsrepr": "['order_u123_p456', {'user_id': 'u123', 'product_id': 'p456', 'quantity': 2}]", "kwargsrepr": "{}", "origin": "gen20212@vm", "ignore_result": false, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {}, "traceparent": "00-7e092b798b3ca4c737832e51c2fd8ee0-28f1cd67bff3f230-03"}, "properties": {"correlation_id": "d580ee63-5e29-49b3-aef9-d4937b4c5aea", "reply_to": "7eda4d7f-1c60-3257-b9c7-aa5e23a1e9ce", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "b61d03e0-43fb-45d3-b893-0e776bb4b18a"}}"#;
const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn read(entry: &[u8]) -> Result<Message, NotAMessage> {
    let position = QueuePosition {
        queue: "celery".into(),
        state: MessageState::Ready,
        list: None,
        index: Some(0),
        priority: 0,
    };
    read_message(&Envelope::decode(entry)?, &position, ReadOptions::default(), &mut |name| name.into())
}

/// The real message with some members replaced, by JSON pointer.
fn with(changes: &[(&str, Value)]) -> String {
    let mut message: Value = serde_json::from_str(REAL).expect("the sample is JSON");
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = message.pointer_mut(parent).expect("a member of the sample");
        parent.as_object_mut().expect("an object").insert(key.to_owned(), value.clone());
    }
    message.to_string()
}

fn body(value: &Value) -> Value {
    STANDARD.encode(value.to_string()).into()
}

fn has_plain_context(entry: &str) -> bool {
    Envelope::decode(entry.as_bytes()).expect("an envelope").plain_context().is_some()
}

#[test]
fn a_message_of_the_instrumentor_is_read_whole_and_at_a_glance() {
    let message = read(REAL.as_bytes()).expect("a message");
    assert_eq!((&*message.task, message.protocol), ("process_order", Protocol::Two));
    assert_eq!(&*message.id, "d580ee63-5e29-49b3-aef9-d4937b4c5aea");
    assert_eq!((message.parent_id, message.retries, message.eta), (None, 0, None));
    assert_eq!(message.origin.as_deref(), Some("gen20212@vm"));
    assert_eq!((&*message.exchange, &*message.routing_key), ("", "celery"));
    assert!(!message.hand_made && !message.redelivered && !message.from_beat);
    assert_eq!((message.args, message.other_headers, message.baggage), (None, vec![], vec![]));
    let [found] = &message.contexts[..] else { panic!("{:?}", message.contexts) };
    assert_eq!((&*found.at, found.format), ("headers.traceparent", ContextFormat::W3c));

    let envelope = Envelope::decode(REAL.as_bytes()).expect("an envelope");
    assert_eq!(envelope.plain_context().as_ref(), found.context());
}

#[test]
fn a_glance_is_enough_only_where_nothing_else_is_to_be_said() {
    assert!(has_plain_context(&with(&[("/headers/tracestate", json!("a=1"))])));
    for (pointer, value) in [
        ("/headers/traceparent", json!(VALID.to_uppercase())),
        ("/headers/baggage", json!("user=7")),
        ("/headers/trace_context", json!("{}")),
        ("/headers/headers", json!({"traceparent": VALID})),
        ("/headers/retries", json!(1)),
        ("/headers/redelivered", json!(true)),
        ("/properties/delivery_info/redelivered", json!(true)),
        ("/headers/expires", json!("2026-11-22T20:00:00+00:00")),
        ("/headers/celery_beat_task", json!(true)),
        ("/headers/task", json!(null)),
        ("/properties/traceparent", json!(VALID)),
    ] {
        assert!(!has_plain_context(&with(&[(pointer, value)])), "{pointer}");
    }
}

#[test]
fn odd_fields_do_not_lose_the_message() {
    for odd in ["1e999", "{}", "[1]", "true", "null", "-3", r#""\ud800""#, r#"{"task": 1}"#] {
        let odd_headers = REAL
            .replace(r#""retries": 0"#, &format!(r#""retries": {odd}"#))
            .replace(r#""eta": null"#, &format!(r#""eta": {odd}"#))
            .replace(r#""shadow": null"#, &format!(r#""shadow": {odd}"#))
            .replace(r#""origin": "gen20212@vm""#, &format!(r#""origin": {odd}"#));
        let message = read(odd_headers.as_bytes()).expect(odd);
        assert_eq!((&*message.task, message.contexts.len()), ("process_order", 1), "{odd}");
        assert_eq!((message.eta, message.origin), (None, None), "{odd}");
    }
    for odd in ["7", "-1.5", "true", "null", "[[]]", r#""celery""#] {
        let delivery = REAL.replace(r#"{"exchange": "", "routing_key": "celery"}"#, odd);
        assert_eq!(&*read(delivery.as_bytes()).expect(odd).routing_key, "", "{odd}");
    }
}

#[test]
fn a_key_that_comes_twice_counts_as_it_does_in_python() {
    let twice = REAL.replace(r#""traceparent""#, r#""traceparent": "00-broken", "traceparent""#);
    let message = read(twice.as_bytes()).expect("a message");
    assert_eq!(message.contexts.len(), 1);
    assert!(message.contexts[0].reading.is_ok());
}

#[test]
fn what_is_no_task_says_why() {
    let why = |entry: &[u8]| read(entry).expect_err("no task");
    assert_eq!(why(b"\xff\xfe"), NotAMessage::NotUtf8 { at: 0 });
    assert!(matches!(why(b"{\"body\": "), NotAMessage::NotJson { .. }));
    for other in ["7", "null", "[]", r#"{"job": 1}"#, r#""rq:job:1""#] {
        assert_eq!(why(other.as_bytes()), NotAMessage::NotAnEnvelope, "{other}");
    }
    let reply = r#"{"body": "e30=", "headers": {"ticket": "f6", "clock": 3}, "properties": {"body_encoding": "base64"}}"#;
    assert_eq!(why(reply.as_bytes()), NotAMessage::NoTask);
}

#[test]
fn protocol_1_has_its_fields_in_the_body() {
    let entry = json!({
        "body": body(&json!({
            "task": "send_mail", "id": "a1", "args": [], "kwargs": {}, "retries": 2, "taskset": "g1",
            "eta": "2026-11-22T20:00:00", "expires": null, "utc": true,
        })),
        "content-type": "application/json",
        "headers": {},
        "properties": {"body_encoding": "base64", "delivery_info": {"exchange": "", "routing_key": "mail"}},
    });
    let message = read(entry.to_string().as_bytes()).expect("a message");
    assert_eq!((message.protocol, &*message.task, &*message.id), (Protocol::One, "send_mail", "a1"));
    assert_eq!((message.retries, message.group.as_deref()), (2, Some("g1")));
    assert_eq!(message.eta.expect("an eta").to_string(), "2026-11-22T20:00:00Z");
    assert!(!message.hand_made);
}

#[test]
fn the_body_is_looked_through_only_where_the_headers_hold_no_context() {
    let arguments = body(&json!([[], {"carrier": {"traceparent": VALID}}, {}]));
    let places = |changes: &[(&str, Value)]| -> Vec<String> {
        let message = read(with(changes).as_bytes()).expect("a message");
        message.contexts.iter().map(|found| found.at.to_string()).collect()
    };
    assert_eq!(places(&[("/body", arguments.clone())]), ["headers.traceparent"]);
    let headless = ("/headers/traceparent", Value::Null);
    assert_eq!(places(&[("/body", arguments), headless.clone()]), ["body.kwargs.carrier.traceparent"]);
    let repr = ("/headers/kwargsrepr", json!(format!("{{'traceparent': '{VALID}'}}")));
    let unknown = ("/headers/compression", json!("application/x-snappy"));
    assert_eq!(places(&[headless, repr, unknown]), ["headers.kwargsrepr.traceparent"]);
}

#[test]
fn the_next_task_of_a_chain_is_known_where_the_carrier_is_hand_made() {
    let next = |headers: Value| {
        let step = |task: &str| json!({"task": task, "options": {"headers": headers}});
        let chain = body(&json!([[], {}, {"chain": [step("notify"), step("ship")]}]));
        let carrier = json!(json!({"traceparent": VALID}).to_string());
        let changes =
            [("/body", chain), ("/headers/traceparent", Value::Null), ("/headers/trace_context", carrier)];
        read(with(&changes).as_bytes()).expect("a message").chain_next.expect("a next task")
    };
    assert_eq!(next(Value::Null), NextTask { task: "ship".into(), has_context: false });
    assert!(next(json!({"trace_context": {"traceparent": VALID}})).has_context);
}

#[test]
fn a_context_may_travel_for_the_tasks_that_come_after() {
    let hands_on = |embed: &Value| {
        let changes = [("/body", body(&json!([[], {}, embed])))];
        read(with(&changes).as_bytes()).expect("a message").hands_on
    };
    let step = |headers: Value| json!({"task": "ship", "options": {"headers": headers}});
    let carried = step(json!({"traceparent": VALID}));
    let nothing = json!({"callbacks": null, "errbacks": null, "chain": null, "chord": null});
    assert!(!hands_on(&nothing));
    assert!(hands_on(&json!({"callbacks": null, "errbacks": null, "chain": [carried], "chord": null})));
    assert!(hands_on(&json!({"callbacks": [carried], "errbacks": null, "chain": null, "chord": null})));
    assert!(hands_on(&json!({"callbacks": null, "errbacks": null, "chain": null, "chord": carried})));
    assert!(!hands_on(
        &json!({"callbacks": null, "errbacks": null, "chain": [step(Value::Null)], "chord": null})
    ));
}

#[test]
fn what_a_worker_holds_lies_in_a_list_of_three() {
    let held = format!(r#"[{REAL}, "", "celery"]"#);
    assert_eq!(unacked_envelope(held.as_bytes()), Ok(REAL.as_bytes()));
    assert_eq!(unacked_envelope(b"[]"), Err(NotAMessage::NotAnEnvelope));
    assert!(matches!(unacked_envelope(b"{}"), Err(NotAMessage::NotJson { .. })));

    let due = with(&[("/headers/eta", json!("2026-11-22T20:00:00+01:00"))]);
    let position = QueuePosition {
        queue: "celery".into(),
        state: MessageState::Unacked,
        list: None,
        index: None,
        priority: 0,
    };
    let envelope = Envelope::decode(due.as_bytes()).expect("an envelope");
    let message = read_message(&envelope, &position, ReadOptions { args: true }, &mut |name| name.into())
        .expect("a message");
    assert_eq!(message.state, MessageState::Scheduled);
    assert_eq!(message.eta.expect("an eta").to_string(), "2026-11-22T19:00:00Z");
    assert!(message.args.expect("asked for").contains("order_u123_p456"));
}

#[test]
fn a_message_says_who_made_it() {
    let mut pushed: Value = serde_json::from_str(REAL).expect("the sample is JSON");
    let headers = pushed["headers"].as_object_mut().expect("an object");
    headers.remove("argsrepr");
    headers.remove("lang");
    assert!(read(pushed.to_string().as_bytes()).expect("a message").hand_made);
}

#[test]
fn every_truncation_is_no_message() {
    for end in 0..REAL.len() {
        assert!(read(&REAL.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn nesting_without_end_is_no_overflow() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let entry = REAL.replace(r#""stamps": {}"#, &format!(r#""stamps": {deep}, "meta": {deep}"#));
    assert_eq!(read(entry.as_bytes()).expect("a message").other_headers, [Box::from("meta")]);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = unacked_envelope(&bytes);
    }

    #[test]
    fn no_change_of_a_message_panics(at in 0..REAL.len(), byte in any::<u8>(), count in 0_usize..9) {
        let mut entry = REAL.as_bytes().to_vec();
        let end = (at + count).min(entry.len());
        entry.splice(at..end, [byte]);
        let _ = read(&entry);
    }

    #[test]
    fn a_valid_context_always_reads_back(
        trace in 1..=u128::MAX,
        span in 1..=u64::MAX,
        sampled in any::<bool>(),
        wrapping in 0..4,
    ) {
        let text = format!("00-{trace:032x}-{span:016x}-{:02x}", u8::from(sampled));
        let carrier = json!({"traceparent": text});
        let (name, value, encoding) = match wrapping {
            0 => ("traceparent", json!(text), Encoding::Flat),
            1 => ("trace_context", carrier, Encoding::Object),
            2 => ("trace_context", carrier.to_string().into(), Encoding::JsonText),
            _ => ("trace_context", format!("{{'traceparent': '{text}'}}").into(), Encoding::PythonRepr),
        };
        let changes = [("/headers/traceparent", Value::Null), (&*format!("/headers/{name}"), value)];
        let message = read(with(&changes).as_bytes()).expect("a message");
        let context = SpanContext {
            trace_id: TraceId::new(trace.to_be_bytes()),
            span_id: SpanId::new(span.to_be_bytes()),
            sampling: if sampled { Sampling::Sampled } else { Sampling::NotSampled },
        };
        prop_assert_eq!(message.contexts.len(), 1);
        prop_assert_eq!(&message.contexts[0].reading, &Ok(context));
        prop_assert_eq!(message.contexts[0].encoding, encoding);
    }
}
