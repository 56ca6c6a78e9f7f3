//! The pieces of evidence: requests of spans, and looks at brokers.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span, Status, span::Event, span::Link};
use prost::Message;
use serde_json::{Value, json};

use crate::fuzzing::celery::message;
use crate::fuzzing::choices::Choices;
use crate::fuzzing::scene::{START, attribute, request};
use crate::fuzzing::values::{TRACEPARENT, Values};
use crate::model::{SpanId, Timestamp, TraceId};
use crate::wire::snapshot::read_head;

/// A piece of evidence that comes as a whole.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A request in JSON.
    Json(Vec<u8>),
    /// The spans of one process.
    Spans {
        process: usize,
        spans: Vec<Span>,
    },
    Look {
        broker: String,
        at: Timestamp,
        lines: Vec<String>,
    },
}

/// Services, with the id of an instance where there is one.
const PROCESSES: [(&str, &str); 4] = [("api", "i1"), ("worker", "i2"), ("worker", "i3"), ("", "")];
const QUEUES: [&str; 3] = ["celery", "orders", "celery\u{6}\u{16}3"];

impl Piece {
    /// The request of these spans.
    pub fn encoded(&self) -> Vec<u8> {
        let Self::Spans { process, spans } = self else { return Vec::new() };
        let (service, instance) = PROCESSES[*process];
        let mut attributes = vec![attribute("service.name", service)];
        if !instance.is_empty() {
            attributes.push(attribute("service.instance.id", instance));
        }
        let scope_spans = ScopeSpans { spans: spans.clone(), ..ScopeSpans::default() };
        request(attributes, vec![scope_spans]).encode_to_vec()
    }

    /// The same in other traces, where it has spans.
    pub fn elsewhere(&self, round: u8) -> Self {
        let mut piece = self.clone();
        if let Self::Spans { spans, .. } = &mut piece {
            spans.iter_mut().for_each(|span| span.trace_id[0] ^= round);
        }
        piece
    }

    /// The same evidence in several pieces. What came twice is not cut: whether it came in
    /// one request or in two is evidence too.
    pub fn cut(&self, choices: &mut Choices<'_>) -> Vec<Self> {
        let Self::Spans { process, spans } = self else { return vec![self.clone()] };
        let ids: BTreeSet<_> = spans.iter().map(|span| (&span.trace_id, &span.span_id)).collect();
        let at = choices.below(spans.len() + 1);
        if ids.len() < spans.len() || at == 0 || at == spans.len() {
            return vec![self.clone()];
        }
        let piece = |spans: &[Span]| Self::Spans { process: *process, spans: spans.to_vec() };
        vec![piece(&spans[..at]), piece(&spans[at..])]
    }
}

/// The lines of a bundle: requests in JSON, and looks that begin with a head.
pub fn of_lines(bytes: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        if let Ok(head) = read_head(line) {
            let broker = head.broker.unwrap_or_default();
            pieces.push(Piece::Look { broker, at: head.captured_at, lines: Vec::new() });
        } else if line.starts_with(b"{\"resourceSpans\"") {
            pieces.push(Piece::Json(line.to_vec()));
        } else if let Some(Piece::Look { lines, .. }) = pieces.last_mut() {
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
    }
    pieces
}

/// What a task leaves behind.
struct Task {
    number: u64,
    id: String,
    trace: Vec<u8>,
    queue: &'static str,
}

/// A scene: some tasks, of each of which some things are seen and others are not.
pub fn of_choices(choices: &mut Choices<'_>) -> Vec<Piece> {
    let mut spans = vec![Vec::new(); PROCESSES.len()];
    let mut looks: Vec<Look> = (0..choices.below(3)).map(|number| Look::new(number, choices)).collect();
    for number in 1..=1 + choices.below(4) as u64 {
        let trace = if choices.one_in(4) { 1 } else { number };
        let queue = choices.one_of(&QUEUES);
        let task = Task { number, id: format!("{number}-task"), trace: id(trace, 16), queue };
        publish(&task, choices, &mut spans[0]);
        let worker = 1 + choices.below(3);
        run(&task, choices, &mut spans[worker]);
        looks.iter_mut().for_each(|look| look.see(&task, choices));
    }
    let mut pieces: Vec<_> = looks.into_iter().map(Look::piece).collect();
    for (process, mut spans) in spans.into_iter().enumerate() {
        if let Some(span) = spans.first().cloned().filter(|_| choices.one_in(6)) {
            let again = if choices.any() { span } else { Span { kind: 1, ..span } };
            spans.push(again);
        }
        if !spans.is_empty() {
            pieces.push(Piece::Spans { process, spans });
        }
    }
    pieces
}

fn id(number: u64, length: usize) -> Vec<u8> {
    let mut id = vec![0xa5; length];
    id[length - 8..].copy_from_slice(&number.to_be_bytes());
    id
}

/// The `n`th span of a task: of its API (0, 1), its worker (2), or within either (3, 4).
fn span_id(task: u64, n: u64) -> Vec<u8> {
    id(task * 8 + n, 8)
}

fn nanos(millis: u64) -> u64 {
    START.as_nanos() + millis * 1_000_000
}

fn span(task: &Task, n: u64, kind: i32, choices: &mut Choices<'_>) -> Span {
    let millis = task.number * 1_000 + n * 10;
    let name = ["POST /orders", "apply_async/shop.pay", "run/shop.pay", "step", "LPUSH"];
    Span {
        trace_id: task.trace.clone(),
        span_id: span_id(task.number, n),
        name: name[usize::try_from(n).expect("five of them")].to_owned(),
        kind,
        start_time_unix_nano: nanos(millis),
        end_time_unix_nano: nanos(millis + u64::from(choices.any::<u8>())),
        flags: choices.one_of(&[256, 768, 0]),
        ..Span::default()
    }
}

fn celery(task: &Task, action: &str) -> Vec<opentelemetry_proto::tonic::common::v1::KeyValue> {
    vec![
        attribute("celery.action", action),
        attribute("messaging.message.id", &task.id),
        attribute("celery.task_name", "shop.pay"),
        attribute("messaging.destination", task.queue),
    ]
}

fn publish(task: &Task, choices: &mut Choices<'_>, spans: &mut Vec<Span>) {
    let has_server = choices.one_in(2);
    if has_server {
        spans.push(span(task, 0, 2, choices));
    }
    if choices.one_in(2) {
        let mut producer = span(task, 1, 4, choices);
        producer.attributes = celery(task, "apply_async");
        producer.parent_span_id = if choices.any() { span_id(task.number, 0) } else { Vec::new() };
        spans.push(producer);
    }
    if choices.one_in(4) {
        let mut push = span(task, 4, 3, choices);
        push.attributes = vec![attribute("db.system", "redis"), attribute("db.operation", "LPUSH")];
        push.parent_span_id = span_id(task.number, u64::from(choices.any::<bool>()));
        spans.push(push);
    }
}

fn run(task: &Task, choices: &mut Choices<'_>, spans: &mut Vec<Span>) {
    if choices.one_in(3) {
        return;
    }
    let mut consumer = span(task, 2, 5, choices);
    if !choices.one_in(6) {
        consumer.attributes = celery(task, "run");
    }
    match choices.below(5) {
        0 => consumer.parent_span_id = span_id(task.number, 1),
        1 => consumer.trace_id = id(100 + task.number, 16),
        2 => {
            consumer.trace_id = id(100 + task.number, 16);
            let [trace_id, span_id] = [task.trace.clone(), span_id(task.number, 1)];
            consumer.links = vec![Link { trace_id, span_id, ..Link::default() }];
        }
        3 => consumer.parent_span_id = span_id(99, choices.any::<u8>().into()),
        _ => consumer.parent_span_id = span_id(task.number, 0),
    }
    if choices.one_in(4) {
        consumer.status = Some(Status { code: 2, message: "KeyError: no".to_owned() });
        let attributes = vec![attribute("exception.type", "KeyError")];
        consumer.events = vec![Event { name: "exception".to_owned(), attributes, ..Event::default() }];
    }
    if choices.one_in(6) {
        consumer.end_time_unix_nano = 0;
    }
    if choices.one_in(3) {
        let mut step = span(task, 3, 1, choices);
        step.trace_id.clone_from(&consumer.trace_id);
        step.parent_span_id = span_id(task.number, if choices.any() { 2 } else { 7 });
        spans.push(step);
    }
    if !choices.one_in(8) {
        spans.push(consumer);
    }
}

/// A look at a broker.
struct Look {
    broker: &'static str,
    at: Timestamp,
    lists: Vec<(&'static str, String)>,
    held: Vec<String>,
    results: Vec<(String, Value)>,
    has_worker: bool,
}

impl Look {
    fn new(number: usize, choices: &mut Choices<'_>) -> Self {
        let broker = choices.one_of(&["one:6379/0", "one:6379/0", "other:6379/0"]);
        let millis = if choices.one_in(3) { 5_000 } else { 3_000 * number as u64 };
        let at = Timestamp::from_nanos(nanos(millis));
        let has_worker = choices.any();
        Self { broker, at, lists: Vec::new(), held: Vec::new(), results: Vec::new(), has_worker }
    }

    /// What is there of a task.
    fn see(&mut self, task: &Task, choices: &mut Choices<'_>) {
        let message = sent(task, choices).to_string();
        match choices.below(4) {
            0 => self.lists.push((task.queue, message)),
            1 => self.held.push(format!("[{message}, \"\", \"celery\"]")),
            _ => {}
        }
        if choices.one_in(2) {
            let status = choices.one_of(&["SUCCESS", "FAILURE", "RETRY", "STARTED", "PENDING", "REVOKED"]);
            let raised = json!({"exc_type": "KeyError", "exc_message": ["no"]});
            self.results.push((task.id.clone(), json!({"status": status, "result": raised})));
        }
    }

    fn piece(self) -> Piece {
        let key = |key: &str, kind: &str, entries: Value| {
            json!({"db": 0, "key": key, "type": kind, "pttl": -1, "entries": entries}).to_string()
        };
        let bound = "celery\u{6}\u{16}\u{6}\u{16}celery";
        let mut lines = vec![key("_kombu.binding.celery", "set", json!([bound]))];
        if self.has_worker {
            let mailbox = "\u{6}\u{16}\u{6}\u{16}celery@w.celery.pidbox";
            lines.push(key("_kombu.binding.celery.pidbox", "set", json!([mailbox])));
        }
        for queue in QUEUES {
            let entries: Vec<_> =
                self.lists.iter().filter(|(of, _)| *of == queue).map(|(_, text)| text).collect();
            lines.push(key(queue, "list", json!(entries)));
        }
        let held: serde_json::Map<_, _> =
            self.held.iter().zip(0..).map(|(text, tag): (_, u32)| (tag.to_string(), json!(text))).collect();
        lines.push(key("unacked", "hash", held.into()));
        for (id, result) in &self.results {
            lines.push(key(&format!("celery-task-meta-{id}"), "string", json!(result.to_string())));
        }
        Piece::Look { broker: self.broker.to_owned(), at: self.at, lines }
    }
}

/// The message of a task.
fn sent(task: &Task, choices: &mut Choices<'_>) -> Value {
    let mut values = Values { text: |choices: &mut Choices<'_>| choices.text(6) };
    let kwargs = if choices.one_in(4) { values.carrier(choices, 2) } else { serde_json::Map::new() };
    let body = json!([[], kwargs, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]);
    let mut message = message(body.to_string().as_bytes(), "application/json", "");
    let headers = message["headers"].as_object_mut().expect("an object");
    headers.insert("id".to_owned(), task.id.as_str().into());
    headers.insert("root_id".to_owned(), task.id.as_str().into());
    headers.insert("origin".to_owned(), "gen1@vm".into());
    let trace = TraceId::new(task.trace.as_slice().try_into().expect("16 bytes"));
    let span = SpanId::new(span_id(task.number, 1).as_slice().try_into().expect("8 bytes"));
    match choices.below(5) {
        0 => drop(headers.insert("traceparent".to_owned(), format!("00-{trace}-{span}-01").into())),
        1 => drop(headers.insert("traceparent".to_owned(), TRACEPARENT.to_uppercase().into())),
        2 => drop(headers.insert("b3".to_owned(), format!("{trace}-{span}-1").into())),
        3 => headers.extend(values.carrier(choices, 2)),
        _ => {}
    }
    if choices.one_in(4) {
        headers.insert("retries".to_owned(), 1.into());
    }
    if choices.one_in(6) {
        headers.insert("eta".to_owned(), "2026-11-22T20:00:00+00:00".into());
    }
    message["properties"]["delivery_info"]["routing_key"] = task.queue.into();
    message
}
