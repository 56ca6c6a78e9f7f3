//! Large reports, made.

use tracelink::model::{Report, SpanId, SpanReport, Timestamp, TraceId, TraceReport};

/// So many traces of so many spans, each of which has up to four children.
pub fn report(traces: u64, spans: u64) -> Report {
    let traces: Vec<_> = (0..traces).map(|number| trace(number, spans)).collect();
    Report { traces, ..Report::default() }
}

fn trace(trace: u64, spans: u64) -> TraceReport {
    let id = |number: u64| SpanId::new((trace << 32 | (number + 1)).to_be_bytes());
    let span = |number: u64| SpanReport {
        span_id: id(number),
        parent_id: number.checked_sub(1).map(|number| id(number / 4)),
        service: format!("service-{}", number % 5),
        name: format!("step {number}"),
        kind: "internal",
        start: Timestamp::from_nanos(1_700_000_000_000_000_000 + (trace * 1_000_000 + number * 100) * 1_000),
        duration_ms: 5.0,
        status: "unset",
        task_id: None,
        orphan: None,
        exception: None,
        retries: None,
        links: Vec::new(),
    };
    TraceReport {
        trace_id: TraceId::new(u128::from(trace + 1).to_be_bytes()),
        healthy: true,
        complete: true,
        span_count: spans,
        spans: (0..spans).map(span).collect(),
    }
}
