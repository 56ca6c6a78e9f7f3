//! Requests as FastAPI and Celery make them under their instrumentors: ten
//! spans a hand-off from two services, 512 spans a request and service.

#![allow(dead_code, reason = "each bench and test uses what it needs")]

use std::ops::Range;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// Spans of one hand-off.
pub const SPANS: u64 = 10;
/// When the first of them starts, in nanoseconds since the epoch.
pub const START: u64 = 1_795_376_994_000_000_000;
/// Spans of a request: what Python's batch processor sends at a time.
pub const BATCH: usize = 512;

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

/// Ids are spread as random ones are.
pub fn trace_id(number: u64) -> u128 {
    let spread = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    spread | 1
}

/// A span of so many milliseconds; `ids` are its own and its parent's, where it
/// has one. It starts 0.1 ms a number after the first.
pub fn span(
    trace: u128,
    ids: (u64, u64),
    name: &str,
    kind: i32,
    millis: u64,
    attributes: Vec<KeyValue>,
) -> Span {
    let (id, parent) = ids;
    let start = START + id * 100_000;
    let parent_span_id = if parent == 0 { Vec::new() } else { parent.to_be_bytes().to_vec() };
    let is_remote = kind == 5 && parent != 0;
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id,
        name: name.to_owned(),
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start + millis * 1_000_000,
        flags: if is_remote { 768 } else { 256 },
        attributes,
        ..Span::default()
    }
}

/// The attributes of Celery's instrumentor.
pub fn celery(action: &str, task: &str) -> Vec<KeyValue> {
    vec![
        text("celery.action", action),
        text("messaging.message.id", task),
        text("celery.task_name", "process_order"),
        text("messaging.destination", "celery"),
        text("celery.hostname", "gen20212@vm"),
    ]
}

/// The spans of one hand-off: the API's, and the worker's. A broken one's
/// worker starts a trace of its own.
pub fn handoff(number: u64, is_broken: bool) -> (Vec<Span>, Vec<Span>) {
    let trace = trace_id(number);
    let task = format!("{number:08x}-0000-4000-8000-{number:012x}");
    let id = |place: u64| number * 16 + place;
    let http = || {
        vec![
            text("http.method", "POST"),
            text("http.target", "/orders"),
            text("http.user_agent", "python-httpx/0.28"),
        ]
    };
    let api = vec![
        span(trace, (id(1), 0), "POST /orders", 2, 132, http()),
        span(trace, (id(2), id(1)), "validate_order", 1, 8, Vec::new()),
        span(trace, (id(3), id(1)), "save_order", 1, 35, vec![text("db.operation", "insert")]),
        span(trace, (id(4), id(1)), "apply_async/process_order", 4, 9, celery("apply_async", &task)),
        span(
            trace,
            (id(5), id(1)),
            "POST /orders http send",
            1,
            1,
            vec![text("asgi.event.type", "http.response.start")],
        ),
        span(
            trace,
            (id(6), id(1)),
            "POST /orders http send",
            1,
            1,
            vec![text("asgi.event.type", "http.response.body")],
        ),
    ];
    let (trace, parent) = if is_broken { (trace_id(u64::MAX / 2 + number), 0) } else { (trace, id(4)) };
    let worker = vec![
        span(trace, (id(7), parent), "run/process_order", 5, 112, celery("run", &task)),
        span(trace, (id(8), id(7)), "send_confirmation_email", 1, 80, vec![text("email.recipient", "u123")]),
        span(trace, (id(9), id(7)), "update_inventory", 1, 30, vec![text("product.id", "p456")]),
        span(trace, (id(10), id(9)), "SELECT orders", 3, 3, vec![text("db.system", "postgresql")]),
    ];
    (api, worker)
}

/// A request of one service.
pub fn encode(spans: Vec<Span>, service: &str) -> Vec<u8> {
    let attributes = vec![
        text("telemetry.sdk.language", "python"),
        text("service.name", service),
        text("service.instance.id", &format!("5c1f0f5a-{service}")),
    ];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope = Some(InstrumentationScope {
        name: "opentelemetry.instrumentation.celery".to_owned(),
        ..InstrumentationScope::default()
    });
    let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// The requests of these hand-offs, in the order in which they are exported; of
/// a hundred hand-offs so many are broken.
pub fn requests(handoffs: Range<u64>, broken: u64) -> impl Iterator<Item = Vec<u8>> {
    batches(handoffs, broken).map(|batch| batch.request)
}

/// One request.
pub struct Batch {
    pub request: Vec<u8>,
    pub spans: u64,
    pub is_workers: bool,
}

/// The same, with what they hold.
pub fn batches(handoffs: Range<u64>, broken: u64) -> impl Iterator<Item = Batch> {
    let (mut api, mut worker) = (Vec::new(), Vec::new());
    let last = handoffs.end - 1;
    handoffs.flat_map(move |number| {
        let (of_api, of_worker) = handoff(number, number % 100 < broken);
        api.extend(of_api);
        worker.extend(of_worker);
        let mut full = Vec::new();
        for (batch, service) in [(&mut api, "order-api"), (&mut worker, "order-worker")] {
            if batch.len() >= BATCH || number == last {
                let spans = batch.len() as u64;
                let request = encode(std::mem::take(batch), service);
                full.push(Batch { request, spans, is_workers: service == "order-worker" });
            }
        }
        full
    })
}
