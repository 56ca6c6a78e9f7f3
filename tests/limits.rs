//! What is said, and counted, where the memory does not hold what comes.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use tracelink::diagnosis::{Listing, LiveJudge, Pace};
use tracelink::evidence::Moment;
use tracelink::live::MemoryPlan;
use tracelink::model::{Report, Severity, SpanAccount};
use tracelink::wire::otlp::decode_protobuf;

#[path = "../benches/spans/mod.rs"]
mod spans;

const SETTLE: Duration = Duration::from_secs(6);
const PACE: Pace = Pace { shown: 1, again: 500, work: Pace::WORK, thorough: false };

fn watch(memory: usize) -> LiveJudge {
    LiveJudge::new(SETTLE, MemoryPlan::for_evidence(memory))
}

fn take(watch: &mut LiveJudge, spans: Vec<Span>, service: &str) {
    let request = spans::encode(spans, service);
    watch.take_request(|sink| decode_protobuf(&request, sink)).expect("prost wrote it");
}

fn at(millis: u64) -> Moment {
    Moment::at(Duration::from_millis(millis))
}

fn report(watch: &mut LiveJudge, millis: u64) -> Report {
    watch.end(at(millis));
    watch.report(Listing::default())
}

/// The account adds up, and knows of as many spans as were sent.
fn adds_up(report: &Report, sent: u64) -> SpanAccount {
    let account = report.inputs.span_account;
    let SpanAccount { received, held, evicted, rejected, duplicates } = account;
    assert_eq!(received, sent, "{account:?}");
    assert_eq!(received, held + evicted + rejected + duplicates, "{account:?}");
    account
}

/// The API's spans of so many hand-offs come in each 10 ms, and the worker's `delay`
/// behind them, for `seconds`. Of a hundred hand-offs so many are broken.
fn stream(watch: &mut LiveJudge, each: u64, delay: u64, seconds: u64, broken: u64) -> u64 {
    let (mut sent, ticks, behind) = (0, seconds * 100, delay / 10);
    for tick in 0..ticks + behind {
        watch.set_time(at(tick * 10));
        let of_tick =
            |tick: u64| (tick * each..(tick + 1) * each).map(|n| spans::handoff(n, n % 100 < broken));
        if tick < ticks {
            let api: Vec<_> = of_tick(tick).flat_map(|(api, _)| api).collect();
            sent += api.len() as u64;
            take(watch, api, "order-api");
        }
        if tick >= behind {
            let worker: Vec<_> = of_tick(tick - behind).flat_map(|(_, worker)| worker).collect();
            sent += worker.len() as u64;
            take(watch, worker, "order-worker");
        }
        if tick % 5 == 0 {
            watch.round(at(tick * 10), Pace { thorough: tick % 100 == 0, ..PACE });
        }
    }
    sent
}

/// What is said at warning or above, with its count.
fn loud(report: &Report) -> BTreeMap<&str, u64> {
    let loud = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
    loud.map(|finding| (finding.slug, finding.count)).collect()
}

/// It was: 5,587 times parent-not-exported, and 64 orphans, at 83,000 spans a second
/// and 16 MiB. Here it is a tenth of both.
#[test]
fn a_worker_that_is_seconds_behind_is_no_orphan_where_marks_were_forgotten() {
    let mut watch = watch(1 << 20);
    let sent = stream(&mut watch, 8, 5_000, 12, 0);
    let report = report(&mut watch, 20_000);
    assert!(report.limits.forgotten_marks > 1_000, "{:?}", report.limits);
    assert_eq!(loud(&report), BTreeMap::new());
    let account = adds_up(&report, sent);
    assert!(account.evicted > sent / 2, "{account:?}");
}

/// Both sides came, a moment apart: that they do not hang together was seen, and
/// is said whatever was forgotten.
#[test]
fn what_was_seen_broken_is_said_where_marks_were_forgotten() {
    let mut watch = watch(1 << 20);
    let sent = stream(&mut watch, 8, 10, 12, 100);
    let report = report(&mut watch, 60_000);
    assert!(report.limits.forgotten_marks > 0, "{:?}", report.limits);
    assert!(!loud(&report).is_empty(), "{:?}", report.limits);
    adds_up(&report, sent);
}

/// As long as no mark is forgotten, what is absent is absent.
#[test]
fn a_parent_that_never_comes_is_told_where_nothing_was_forgotten() {
    let mut watch = watch(64 << 20);
    for number in 0..20 {
        take(&mut watch, spans::handoff(number, false).1, "order-worker");
    }
    let report = report(&mut watch, 60_000);
    assert!(!loud(&report).is_empty());
}

/// Roots, each in a trace of its own.
fn roots(from: u64, count: u64) -> Vec<Span> {
    let root = |number: u64| spans::span(spans::trace_id(number), (number + 1, 0), "GET /", 2, 1, Vec::new());
    (from..from + count).map(root).collect()
}

/// 600,000 spans in one request once left 5 traces.
#[test]
fn one_request_leaves_as_much_as_fits() {
    const MEMORY: usize = 4 << 20;
    let mut watch = watch(MEMORY);
    take(&mut watch, roots(0, 60_000), "order-api");
    assert!(watch.bytes() <= MEMORY, "{} bytes are held", watch.bytes());
    let held = watch.evidence.spans.held_traces();
    assert!(held > 2_000, "{held} traces are held");
    // And it goes on as well.
    for number in 0..100 {
        take(&mut watch, roots(60_000 + number * 10, 10), "order-api");
    }
    let held = watch.evidence.spans.held_traces();
    assert!(held > 2_000, "{held} traces are held");
    adds_up(&report(&mut watch, 1_000), 61_000);
}

/// A trace without end keeps its beginning, leaves room for others, and is not
/// judged.
#[test]
fn a_trace_larger_than_the_memory_leaves_room_for_others() {
    const MEMORY: usize = 4 << 20;
    let mut watch = watch(MEMORY);
    (0..100).for_each(|number| take(&mut watch, spans::handoff(number, false).0, "order-api"));
    (0..100).for_each(|number| take(&mut watch, spans::handoff(number, false).1, "order-worker"));
    // Each below a parent that never comes.
    let child = |id: u64| spans::span(7, (1 << 40 | id, 1 << 50 | id), "step", 5, 1, Vec::new());
    for part in 0..60 {
        take(&mut watch, (part * 1_000..(part + 1) * 1_000).map(child).collect(), "order-worker");
    }
    assert!(watch.bytes() <= MEMORY, "{} bytes are held", watch.bytes());
    watch.round(at(20_000), PACE);
    let report = report(&mut watch, 40_000);
    let account = adds_up(&report, 61_000);
    assert!(account.held > 3_000 && account.evicted > 30_000, "{account:?}");
    assert_eq!(report.inputs.handoffs_whole, 100);
    assert_eq!((report.limits.evicted_traces, loud(&report)), (0, BTreeMap::new()), "{account:?}");
    let told = report.findings.iter().any(|finding| finding.slug == "evidence-evicted");
    assert!(told, "and it is told");
}

/// What was sent is held, let go, refused, or came twice; to the span.
#[test]
fn the_account_of_spans_adds_up_after_each_kind_of_load() {
    let handoffs = |numbers: std::ops::Range<u64>| numbers.map(|number| spans::handoff(number, false));
    // The worker first, and everything again: resends.
    let mut resent = watch(64 << 20);
    for _ in 0..2 {
        handoffs(0..50).for_each(|(api, worker)| {
            take(&mut resent, worker, "order-worker");
            take(&mut resent, api, "order-api");
        });
    }
    let account = adds_up(&report(&mut resent, 1_000), 1_000);
    assert_eq!((account.held, account.duplicates), (500, 500));

    // Ids that are none, in between.
    let mut broken = watch(64 << 20);
    for (mut api, _) in handoffs(0..50) {
        api[0].trace_id.truncate(4);
        api[1].span_id = vec![0; 8];
        take(&mut broken, api, "order-api");
    }
    let account = adds_up(&report(&mut broken, 1_000), 300);
    assert_eq!((account.held, account.rejected), (200, 100));

    // Other contents under the same ids.
    let mut rewritten = watch(64 << 20);
    for millis in [0, 5, 3, 5] {
        for (mut api, _) in handoffs(0..50) {
            api.iter_mut().for_each(|span| span.end_time_unix_nano += millis * 1_000_000);
            take(&mut rewritten, api, "order-api");
        }
    }
    let account = adds_up(&report(&mut rewritten, 1_000), 1_200);
    assert_eq!((account.held, account.duplicates), (300, 900));

    // More than fits, from several services, late, with resends of what is gone.
    let mut full = watch(1 << 20);
    let mut sent = stream(&mut full, 5, 500, 3, 3);
    for (number, (api, worker)) in handoffs(0..300).enumerate() {
        sent += (api.len() + worker.len()) as u64;
        take(&mut full, worker, &format!("worker-{}", number % 7));
        take(&mut full, api, "order-api");
    }
    let account = adds_up(&report(&mut full, 5_000), sent);
    assert!(account.evicted > 0, "{account:?}");

    // A request that breaks off: what came before the break was taken.
    let mut cut = watch(64 << 20);
    let request = spans::encode(roots(0, 10), "order-api");
    cut.take_request(|sink| decode_protobuf(&request[..request.len() - 3], sink)).expect_err("cut");
    adds_up(&report(&mut cut, 1_000), 0);
    cut.take_request(|sink| decode_protobuf(&[&*request, b"\x0a\x7f"].concat(), sink)).expect_err("cut");
    assert_eq!(adds_up(&report(&mut cut, 1_000), 10).held, 10);
}
