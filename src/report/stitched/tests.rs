//! What every view relies on.

use super::{Content, Detail, Health, Parts, Stitched};
use crate::model::{HandoffReport, Severity, SpanId, SpanReport, Stations, Timestamp, TraceId, TraceReport};

fn span(id: u64, parent: u64, kind: &'static str, start: u64) -> SpanReport {
    let of = |id: u64| SpanId::new(id.to_be_bytes());
    SpanReport {
        span_id: of(id),
        parent_id: (parent > 0).then(|| of(parent)),
        service: "order-api".to_owned(),
        name: format!("step {id}"),
        kind,
        start: Timestamp::from_nanos(start * 1_000_000),
        duration_ms: 2.0,
        status: "unset",
        task_id: None,
        orphan: None,
        exception: None,
        retries: None,
        links: Vec::new(),
    }
}

fn trace(id: u8, spans: Vec<SpanReport>) -> TraceReport {
    TraceReport {
        trace_id: TraceId::new([id; 16]),
        healthy: true,
        complete: true,
        span_count: spans.len() as u64,
        spans,
    }
}

fn handoff(producer: (u8, u64), run: Option<(u8, u64)>) -> HandoffReport {
    let end = |(trace, span): (u8, u64)| (TraceId::new([trace; 16]), SpanId::new(span.to_be_bytes()));
    HandoffReport {
        task_id: "t1".to_owned(),
        attempt: 0,
        task: "process_order".to_owned(),
        stations: Stations::default(),
        queue_wait_ms: run.map(|_| 3.0),
        finding: None,
        unproven: None,
        joined_by: None,
        producer: Some(end(producer)),
        consumers: run.map(end).into_iter().collect(),
        deliveries: 0,
        result: None,
    }
}

/// However spans hang together, each is on one row, and a layout ends. Spans in a circle
/// and spans of one id are among them.
#[test]
fn each_span_has_a_row_however_deep_it_lies() {
    const MANY: u64 = 10_000;
    let chain = (1..=MANY).map(|id| span(id, id - 1, "consumer", id)).collect();
    let flat = (1..=MANY).map(|id| span(id, u64::from(id > 1), "internal", id)).collect();
    let circle = (1..=MANY).map(|id| span(id, id % MANY + 1, "internal", id)).collect();
    for spans in [chain, flat, circle] {
        let traces = [trace(1, spans)];
        let parts = Parts::new(&traces, &[]);
        let all = Stitched::of_passage(&parts, Detail::Everything);
        assert_eq!(all.rows.len() as u64, MANY);
        assert_eq!(all.fragments.len(), 1);
        let picked = Stitched::of_passage(&parts, Detail::Picked);
        assert!(picked.rows.len() < 20);
        let told = |row: &super::Row| match row.content {
            Content::Folded { spans, .. } | Content::More { spans } => spans,
            _ => 1,
        };
        assert_eq!(picked.rows.iter().map(told).sum::<u64>(), MANY, "what is left out is counted");
    }
}

/// Both fragments lie on one axis, with the gap between them, which knows its two ends.
#[test]
fn the_gap_lies_between_the_publishing_span_and_the_run() {
    let traces = [
        trace(2, vec![span(9, 0, "consumer", 40)]),
        trace(1, vec![span(1, 0, "server", 10), span(2, 1, "producer", 12)]),
    ];
    let handoffs = [handoff((1, 2), Some((2, 9)))];
    let stitched = Stitched::of_passage(&Parts::new(&traces, &handoffs), Detail::Folded);
    assert_eq!(stitched.title, "step 1 → process_order");
    let Content::Gap { from, to, later_ms, .. } = &stitched.rows[2].content else {
        panic!("{:?}", stitched.rows);
    };
    assert_eq!((*from, *to, *later_ms), (Some(1), Some(3), Some(3.0)));
    let axis = stitched.axis.expect("there are spans");
    assert!((axis.millis - 32.0).abs() < 0.001, "{axis:?}");
    let Content::Span { from, .. } = &stitched.rows[3].content else { panic!("a run") };
    assert!((from - 30.0).abs() < 0.001);
}

#[test]
fn the_health_is_that_of_the_worst_part() {
    let whole = handoff((1, 2), Some((1, 3)));
    let waits = handoff((1, 2), None);
    let unproven = HandoffReport { unproven: Some("run-not-seen"), ..waits.clone() };
    let broken = HandoffReport { finding: Some("cause".to_owned()), ..whole.clone() };
    let of = |handoffs: &[HandoffReport], severity: Option<Severity>| Health::of(&[], handoffs, |_| severity);
    assert_eq!(of(std::slice::from_ref(&whole), None), Health::Whole);
    assert_eq!(of(&[whole.clone(), waits.clone()], None), Health::Waits);
    assert_eq!(of(&[waits, unproven.clone()], None), Health::Unproven);
    assert_eq!(of(&[unproven.clone(), broken.clone()], Some(Severity::Warning)), Health::Damaged);
    assert_eq!(of(&[unproven, broken.clone()], Some(Severity::Error)), Health::Broken);
    // What is set aside is no reason.
    assert_eq!(of(&[broken], None), Health::Whole);
}
