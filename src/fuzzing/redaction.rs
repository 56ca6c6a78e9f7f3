//! What is private is neither saved nor printed.

use std::hash::BuildHasherDefault;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rustc_hash::FxHasher;
use serde_json::{Value, json};

use super::celery::message;
use super::choices::Choices;
use super::scene::{self, attribute, look, printed};
use super::serializers::{compressed, of_choice};
use super::values::{TRACEPARENT, Values};
use crate::evidence::{Evidence, SpanIntake};
use crate::report::FormatName;
use crate::wire::celery::{redact_message, redact_result, redact_unacked};
use crate::wire::otlp::{Redacted, Sink, decode_json, decode_protobuf};

/// What must never come out. It is no id, and no name of anything.
const MARK: &str = "zqmarkqz";

/// A message, a result or a span with a marker wherever `docs/secrets.md` says that nothing
/// is saved and nothing printed: the marker is in nothing that is saved of it, and not in
/// the report.
pub fn redaction(bytes: &[u8]) {
    let mut choices = Choices::by(bytes);
    // One of them: all at once take five times as long.
    let format = choices.one_of(FormatName::ALL);
    match choices.below(3) {
        0 => of_message(&mut choices, format),
        1 => of_result(&mut choices, format),
        _ => of_spans(&mut choices, format),
    }
}

fn assert_hidden(told: &[u8], what: &str, given: &str) {
    let told = String::from_utf8_lossy(told);
    assert!(!told.contains(MARK), "{what}: {told}\ngiven: {given}");
}

/// A text with the marker somewhere in it.
fn text(choices: &mut Choices<'_>) -> String {
    match choices.below(12) {
        0 => MARK.to_owned(),
        1 => format!("Bearer {MARK}"),
        2 => format!("{{'card': '{MARK}'}}"),
        3 => format!("('{MARK}', {{'traceparent': '{TRACEPARENT}'}})"),
        4 => format!(r#"{{"traceparent": "{TRACEPARENT}", "who": "{MARK}"}}"#),
        5 => format!("baggage: who={MARK}"),
        6 => format!(r#"["{MARK}"]"#),
        7 => format!("{MARK}=1,{MARK}"),
        8 => format!("File \"/srv/{MARK}.py\", line 1\n  request.headers['{MARK}']\n"),
        9 => format!("{{'traceparent': '{TRACEPARENT}', 'baggage': 'a={MARK}'}}"),
        10 => format!("{}{MARK}{}", choices.text(3), choices.text(3)),
        _ => choices.text(12),
    }
}

/// A value whose texts are private, wherever they are in it. None is in the place of a
/// context: what is there is shown, to say what is wrong with it.
fn private(choices: &mut Choices<'_>) -> Value {
    Values { text }.value(choices, 4)
}

fn of_message(choices: &mut Choices<'_>, format: FormatName) {
    let mut values = Values { text };
    let next = json!({
        "task": "next", "args": values.list(choices, 2), "kwargs": values.mapping(choices, 2),
        "options": {"headers": values.carrier(choices, 3), "queue": text(choices)}, "subtask_type": text(choices),
    });
    let chain = if choices.one_in(2) { json!([next]) } else { private(choices) };
    let body = json!([
        values.list(choices, 4), values.mapping(choices, 4), {"chain": chain, "callbacks": private(choices), "chord": next},
    ]);
    let ((content_type, write), compression) = of_choice(choices);
    let mut message = message(&compressed(compression, &write(&body)), content_type, compression);
    if choices.one_in(2) {
        message["body"] = body.to_string().into();
        message["content-type"] = "application/json".into();
        message["properties"]["body_encoding"] = "utf-8".into();
        message["headers"]["compression"] = Value::Null;
    }
    let own = values.carrier(choices, 4);
    message["headers"].as_object_mut().expect("an object").extend(own);
    let of_celery = [
        "eta",
        "expires",
        "argsrepr",
        "kwargsrepr",
        "timelimit",
        "group_index",
        "ignore_result",
        "shadow",
        "stamps",
        "stamped_headers",
        "replaced_task_nesting",
        "retries",
        "Authorization",
    ];
    for name in of_celery {
        if choices.one_in(4) {
            message["headers"][name] = private(choices);
        }
    }
    message["headers"]["x-datadog-tags"] = format!("_dd.p.tid=4bf92f3577b34da6,_dd.p.usr={MARK}").into();
    for name in ["reply_to", "app_id", "user_id", "message_id", "type", "expiration", "own"] {
        if choices.one_in(4) {
            message["properties"][name] = private(choices);
        }
    }
    message["properties"]["delivery_info"]["client"] = private(choices);
    message["more"] = private(choices);

    let given = message.to_string();
    assert_hidden(&redact_message(given.as_bytes()), "a message", &given);
    let held = json!([message, MARK, MARK, private(choices)]).to_string();
    assert_hidden(&redact_unacked(held.as_bytes()), "a held message", &given);

    let mut evidence = Evidence::default();
    let list = json!({"key": "celery", "type": "list", "entries": [given]}).to_string();
    let unacked = json!({"key": "unacked", "type": "hash", "entries": {"d1": held}}).to_string();
    look(&mut evidence, "one:6379/0", scene::START, &[list, unacked]);
    assert_hidden(printed(&evidence, format).as_bytes(), "a report of a message", &given);
}

fn of_result(choices: &mut Choices<'_>, format: FormatName) {
    let kinds = ["TypeError", "AttributeError", "TaskRevokedError", "Retry", "Ignore"];
    let said = match choices.below(4) {
        0 => json!([text(choices)]),
        1 => json!([format!("{MARK} 'NoneType' object has no attribute 'get' {MARK}")]),
        2 => json!(format!("expired {MARK}")),
        _ => private(choices),
    };
    let raised = json!({
        "exc_type": choices.one_of(&kinds), "exc_message": said, "exc_module": text(choices), "more": text(choices),
    });
    let is_failure = choices.one_in(2);
    let status = if is_failure { choices.one_of(&["FAILURE", "RETRY", "REVOKED"]) } else { "SUCCESS" };
    let result = json!({
        "status": status, "result": if is_failure { raised } else { private(choices) },
        "traceback": format!("Traceback (most recent call last):\n{}", text(choices)), "task_id": "a1",
        "date_done": text(choices), "args": private(choices), "kwargs": private(choices), "children": private(choices),
        "parent_id": text(choices), "more": private(choices),
    });
    let ((_, write), _) = of_choice(choices);
    let given = write(&result);
    let shown = result.to_string();
    assert_hidden(&redact_result(&given), "a result", &shown);
    let mut evidence = Evidence::default();
    if let Ok(value) = String::from_utf8(given) {
        let line = json!({"key": "celery-task-meta-a1", "type": "string", "entries": value}).to_string();
        look(&mut evidence, "one:6379/0", scene::START, &[line]);
        assert_hidden(printed(&evidence, format).as_bytes(), "a report of a result", &shown);
    }
}

fn of_spans(choices: &mut Choices<'_>, format: FormatName) {
    use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
    use opentelemetry_proto::tonic::trace::v1::{
        ScopeSpans, Span, Status,
        span::{Event, Link},
    };
    let others = [
        "db.statement",
        "http.url",
        "http.request.header.authorization",
        "card",
        MARK,
        "celery.delivery_info",
    ];
    let several = |choices: &mut Choices<'_>| -> Vec<_> {
        (0..choices.below(4)).map(|_| attribute(choices.one_of(&others), &text(choices))).collect()
    };
    let mut attributes = several(choices);
    attributes.push(attribute("celery.action", choices.one_of(&["run", "apply_async"])));
    attributes.push(attribute("messaging.message.id", "a1"));
    let raised = vec![
        attribute("exception.type", choices.one_of(&["shop.Empty", "KeyError"])),
        attribute("exception.message", &format!("{MARK}: {} {MARK}", text(choices))),
        attribute("exception.stacktrace", &text(choices)),
    ];
    let paths = [
        "GET http://zqmarkqz@host/a",
        "GET /a?t=zqmarkqz&next=https://host/a",
        "GET /a?zqmarkqz",
        "redis://:zqmarkqz@host/0#zqmarkqz SET",
        "run",
    ];
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: format!("vendor={MARK},{MARK}"),
        name: choices.one_of(&paths).to_owned(),
        kind: i32::try_from(choices.below(6)).expect("a short one"),
        start_time_unix_nano: scene::START.as_nanos(),
        end_time_unix_nano: scene::START.as_nanos() + choices.any::<u64>() % 1_000_000_000,
        attributes,
        events: vec![
            Event { name: "exception".to_owned(), attributes: raised, ..Event::default() },
            Event { name: MARK.to_owned(), attributes: several(choices), ..Event::default() },
        ],
        links: vec![Link {
            trace_id: vec![3; 16],
            span_id: vec![4; 8],
            trace_state: MARK.to_owned(),
            attributes: several(choices),
            ..Link::default()
        }],
        status: Some(Status {
            code: 2,
            message: format!("{}{MARK}", choices.one_of(&["", "KeyError: ", "no "])),
        }),
        ..Span::default()
    };
    let scope = InstrumentationScope {
        name: text(choices),
        version: text(choices),
        attributes: several(choices),
        ..InstrumentationScope::default()
    };
    let spans = ScopeSpans { scope: Some(scope), spans: vec![span], schema_url: MARK.to_owned() };
    let mut resource = several(choices);
    resource.push(attribute("service.name", "shop"));
    resource.push(attribute("telemetry.auto.version", MARK));
    let request = scene::request(resource, vec![spans]);
    let json = serde_json::to_string(&request).expect("it serialises");
    hold_spans(&request, &json, format);
}

fn hold_spans(request: &ExportTraceServiceRequest, json: &str, format: FormatName) {
    let bytes = request.encode_to_vec();
    let key = BuildHasherDefault::<FxHasher>::default();
    for is_json in [false, true] {
        let mut saved = Vec::new();
        let mut redacted = Redacted::new(&mut saved, &key);
        decode(is_json, &bytes, json, &mut redacted);
        redacted.finish().expect("memory takes it");
        assert_hidden(&saved, "a span", json);
    }
    let mut evidence = Evidence::default();
    decode(false, &bytes, json, &mut SpanIntake::new(&mut evidence));
    assert_hidden(printed(&evidence, format).as_bytes(), "a report of a span", json);
}

fn decode(is_json: bool, protobuf: &[u8], json: &str, sink: &mut impl Sink) {
    let read = if is_json { decode_json(json.as_bytes(), sink) } else { decode_protobuf(protobuf, sink) };
    read.expect("it was just written");
}
