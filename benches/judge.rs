//! What one hand-off costs: its spans decoded from protobuf and filed, its
//! message read and joined, and the whole judged.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tracelink::diagnosis::{Ledger, judge};
use tracelink::evidence::{Evidence, Intake, Keep, Looker, Naming};
use tracelink::model::Timestamp;
use tracelink::wire::celery::ReadOptions;
use tracelink::wire::otlp::decode_protobuf;

fn main() {
    divan::main();
}

/// Hand-offs of one round.
const HANDOFFS: u64 = 10_000;
/// Spans of one hand-off: the request's, the producer's, the run's, two of work.
const SPANS: u64 = 5;
const START: u64 = 1_795_376_994_000_000_000;

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(trace: u64, id: u64, parent: u64, name: &str, kind: i32, attributes: Vec<KeyValue>) -> Span {
    let start = START + trace * 1_000_000 + id;
    Span {
        trace_id: u128::from(trace + 1).to_be_bytes().to_vec(),
        span_id: (trace * 16 + id).to_be_bytes().to_vec(),
        parent_span_id: if parent == 0 { Vec::new() } else { (trace * 16 + parent).to_be_bytes().to_vec() },
        name: name.to_owned(),
        kind,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 5_000_000,
        flags: if kind == 5 { 768 } else { 256 },
        attributes,
        ..Span::default()
    }
}

fn celery(action: &str, task: &str) -> Vec<KeyValue> {
    vec![
        text("celery.action", action),
        text("messaging.message.id", task),
        text("celery.task_name", "process_order"),
        text("messaging.destination", "celery"),
    ]
}

/// Requests as two services export them, 512 spans each.
fn requests() -> Vec<Vec<u8>> {
    let (mut api, mut worker) = (Vec::new(), Vec::new());
    for trace in 0..HANDOFFS {
        let task = format!("{trace:08x}-0000-4000-8000-000000000000");
        api.push(span(trace, 1, 0, "POST /orders", 2, vec![text("http.route", "/orders")]));
        api.push(span(trace, 2, 1, "apply_async/process_order", 4, celery("apply_async", &task)));
        worker.push(span(trace, 3, 2, "run/process_order", 5, celery("run", &task)));
        worker.push(span(trace, 4, 3, "send_confirmation_email", 1, vec![text("email.recipient", "u123")]));
        worker.push(span(trace, 5, 3, "update_inventory", 1, vec![text("product.id", "p456")]));
    }
    let encode = |spans: &[Span], service: &str| {
        let resource =
            Some(Resource { attributes: vec![text("service.name", service)], ..Resource::default() });
        let scope_spans = vec![ScopeSpans { spans: spans.to_vec(), ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    };
    let api = api.chunks(512).map(|spans| encode(spans, "order-api"));
    api.chain(worker.chunks(512).map(|spans| encode(spans, "order-worker"))).collect()
}

fn messages() -> Vec<Vec<u8>> {
    let message = |trace: u64| {
        format!(
            r#"{{"body": "W1tdLCB7fSwge31d", "content-type": "application/json", "headers": {{"lang": "py", "task": "process_order", "id": "{trace:08x}-0000-4000-8000-000000000000", "retries": 0, "parent_id": null, "argsrepr": "[]", "kwargsrepr": "{{}}", "origin": "gen7@web-1", "traceparent": "00-{:032x}-{:016x}-03"}}, "properties": {{"delivery_info": {{"exchange": "", "routing_key": "celery"}}, "body_encoding": "base64"}}}}"#,
            trace + 1,
            trace * 16 + 2
        )
    };
    (0..HANDOFFS).map(|trace| message(trace).into_bytes()).collect()
}

fn file_spans(requests: &[Vec<u8>]) -> Evidence {
    let mut evidence = Evidence::default();
    let mut intake = Intake::new(&mut evidence);
    for request in requests {
        intake.next_request();
        decode_protobuf(request, &mut intake).expect("prost wrote it");
    }
    evidence
}

fn look(evidence: &mut Evidence, messages: &[Vec<u8>]) {
    let at = Timestamp::from_nanos(START);
    let mut looker = Looker::new(evidence, "", at, Keep::Each, ReadOptions::default(), Naming::default());
    looker.list("celery", (0..).zip(messages.iter().map(Vec::as_slice)), None, true);
    looker.finish();
}

/// Per span: decoded and filed.
#[divan::bench(sample_count = 20)]
fn file(bencher: Bencher<'_, '_>) {
    let requests = requests();
    bencher.counter(ItemsCount::new(HANDOFFS * SPANS)).bench_local(|| file_spans(black_box(&requests)));
}

/// Per hand-off: its message read and joined to its spans.
#[divan::bench(sample_count = 20)]
fn join(bencher: Bencher<'_, '_>) {
    let (requests, messages) = (requests(), messages());
    bencher
        .counter(ItemsCount::new(HANDOFFS))
        .with_inputs(|| file_spans(&requests))
        .bench_local_refs(|evidence| look(evidence, black_box(&messages)));
}

/// Per hand-off: every diagnosis of the catalogue.
#[divan::bench(sample_count = 20)]
fn diagnose(bencher: Bencher<'_, '_>) {
    let mut evidence = file_spans(&requests());
    look(&mut evidence, &messages());
    bencher.counter(ItemsCount::new(HANDOFFS)).bench_local(|| {
        judge(black_box(&evidence), &Ledger::default(), evidence.clock(), 100).findings.len()
    });
}
