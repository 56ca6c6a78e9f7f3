//! What one hand-off costs: its spans decoded from protobuf and filed, its
//! message read and joined, and the whole judged.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use spans::{SPANS, START, requests};
use tracelink::diagnosis::{Conclusions, judge_all};
use tracelink::evidence::{BrokerIntake, Evidence, Keep, SpanIntake};
use tracelink::model::Timestamp;
use tracelink::wire::broker::Completeness;
use tracelink::wire::celery::ReadOptions;
use tracelink::wire::celery::redis_layout::{Naming, RedisReader};
use tracelink::wire::otlp::decode_protobuf;
use tracelink::wire::snapshot::{KeyContent, KeyLine};

mod spans;

fn main() {
    divan::main();
}

/// Hand-offs of one round.
const HANDOFFS: u64 = 10_000;

fn messages() -> Vec<Vec<u8>> {
    let message = |trace: u64| {
        format!(
            r#"{{"body": "W1tdLCB7fSwge31d", "content-type": "application/json", "headers": {{"lang": "py", "task": "process_order", "id": "{trace:08x}-0000-4000-8000-000000000000", "retries": 0, "parent_id": null, "argsrepr": "[]", "kwargsrepr": "{{}}", "origin": "gen7@web-1", "traceparent": "00-{:032x}-{:016x}-03"}}, "properties": {{"delivery_info": {{"exchange": "", "routing_key": "celery"}}, "body_encoding": "base64"}}}}"#,
            spans::trace_id(trace),
            trace * 16 + 4
        )
    };
    (0..HANDOFFS).map(|trace| message(trace).into_bytes()).collect()
}

fn file_spans(requests: &[Vec<u8>]) -> Evidence {
    let mut evidence = Evidence::default();
    let mut intake = SpanIntake::new(&mut evidence);
    for request in requests {
        intake.next_request();
        decode_protobuf(request, &mut intake).expect("prost wrote it");
    }
    evidence
}

fn look(evidence: &mut Evidence, messages: &[Vec<u8>]) {
    let at = Timestamp::from_nanos(START);
    let queue = KeyLine {
        db: 0,
        key: b"celery".into(),
        pttl: -1,
        content: KeyContent::List(messages.iter().map(Into::into).collect()),
        len: None,
        from: 0,
        complete: true,
    };
    let mut intake = BrokerIntake::new(evidence, "", at, Keep::Each);
    let mut reader = RedisReader::new(Naming::default(), ReadOptions::default());
    reader.begin_look(&mut intake);
    reader.take(&queue, &mut intake);
    reader
        .end_look(Completeness { held: true, since: Some(at), left_out: 0, ended_early: false }, &mut intake);
}

/// Per span: decoded and filed.
#[divan::bench(sample_count = 20)]
fn file(bencher: Bencher<'_, '_>) {
    let requests: Vec<_> = requests(0..HANDOFFS, 0).collect();
    bencher.counter(ItemsCount::new(HANDOFFS * SPANS)).bench_local(|| file_spans(black_box(&requests)));
}

/// Per hand-off: its message read and joined to its spans.
#[divan::bench(sample_count = 20)]
fn join(bencher: Bencher<'_, '_>) {
    let (requests, messages) = (requests(0..HANDOFFS, 0).collect::<Vec<_>>(), messages());
    bencher
        .counter(ItemsCount::new(HANDOFFS))
        .with_inputs(|| file_spans(&requests))
        .bench_local_refs(|evidence| look(evidence, black_box(&messages)));
}

/// Per hand-off: every diagnosis of the catalogue.
#[divan::bench(sample_count = 20)]
fn diagnose(bencher: Bencher<'_, '_>) {
    let mut evidence = file_spans(&requests(0..HANDOFFS, 0).collect::<Vec<_>>());
    look(&mut evidence, &messages());
    bencher.counter(ItemsCount::new(HANDOFFS)).bench_local(|| {
        judge_all(black_box(&evidence), &Conclusions::default(), evidence.clock(), 100, None).findings.len()
    });
}
