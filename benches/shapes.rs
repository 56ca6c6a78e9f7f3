//! What the shape of a trace costs a receiver: CPU and the longest time for which
//! an export waits, against the number of spans.
//!
//! `cargo bench --bench shapes -- [SHAPE] [NUMBER OF TASKS]...`; the shape `alone` is one
//! request of ten times as many spans, each in a trace of its own, under 256 MiB.
//!
//! An export waits while a part of a round judges, and while populations are judged, so
//! the longest of these is the longest wait. All figures are the CPU that the thread
//! used, so that other programs beside it count for little. Linux, because it reads
//! `/proc`.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use tracelink::diagnosis::{Listing, LiveJudge, Pace};
use tracelink::evidence::Moment;
use tracelink::live::{MemoryPlan, Uses};
use tracelink::model::{self, Invalid, Resource, Scope};
use tracelink::wire::otlp::{Sink, decode_protobuf};

mod spans;

use spans::{BATCH, celery, encode, span, trace_id};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long after each other requests come, on the receiver's clock.
const REQUEST: Duration = Duration::from_millis(5);
/// A round comes after so many requests: every 50 ms.
const ROUND: usize = 10;
/// In how many parts a round is done.
const PARTS: usize = 4;
const SETTLE: Duration = Duration::from_secs(6);

/// Makes the spans of the API and of the worker for so many tasks.
type Make = fn(u64) -> (Vec<Span>, Vec<Span>);

const SHAPES: [(&str, Make); 5] = [
    ("apart", apart),
    ("fan-out", fan_out),
    ("one-message", one_message),
    ("nested", nested),
    ("broken", broken),
];

fn task(number: u64) -> String {
    format!("{number:08x}-0000-4000-8000-{number:012x}")
}

/// Span ids start here, so that none is 0.
fn id(number: u64, place: u64) -> u64 {
    1 + number * 4 + place
}

/// Each task in a trace of its own: what the others are compared with.
fn apart(tasks: u64) -> (Vec<Span>, Vec<Span>) {
    let api = (0..tasks)
        .map(|n| span(trace_id(n), (id(n, 0), 0), "apply_async/t", 4, 1, celery("apply_async", &task(n))));
    let worker =
        (0..tasks).map(|n| span(trace_id(n), (id(n, 1), id(n, 0)), "run/t", 5, 1, celery("run", &task(n))));
    (api.collect(), worker.collect())
}

/// One request that publishes all tasks.
fn fan_out(tasks: u64) -> (Vec<Span>, Vec<Span>) {
    let trace = trace_id(0);
    let root = id(tasks, 0);
    let mut api: Vec<_> = (0..tasks)
        .map(|n| span(trace, (id(n, 0), root), "apply_async/t", 4, 1, celery("apply_async", &task(n))))
        .collect();
    api.push(span(trace, (root, 0), "POST /orders", 2, 1, Vec::new()));
    let worker =
        (0..tasks).map(|n| span(trace, (id(n, 1), id(n, 0)), "run/t", 5, 1, celery("run", &task(n))));
    (api, worker.collect())
}

/// One message that is run again and again.
fn one_message(tasks: u64) -> (Vec<Span>, Vec<Span>) {
    let trace = trace_id(0);
    let api = vec![span(trace, (id(tasks, 0), 0), "apply_async/t", 4, 1, celery("apply_async", &task(0)))];
    let worker =
        (0..tasks).map(|n| span(trace, (id(n, 1), id(tasks, 0)), "run/t", 5, 1, celery("run", &task(0))));
    (api, worker.collect())
}

/// Each run publishes the next task.
fn nested(tasks: u64) -> (Vec<Span>, Vec<Span>) {
    let trace = trace_id(0);
    let worker = (0..tasks).flat_map(|n| {
        let parent = if n == 0 { id(tasks, 0) } else { id(n - 1, 1) };
        [
            span(trace, (id(n, 0), parent), "apply_async/t", 4, 1, celery("apply_async", &task(n))),
            span(trace, (id(n, 1), id(n, 0)), "run/t", 5, 1, celery("run", &task(n))),
        ]
    });
    (vec![span(trace, (id(tasks, 0), 0), "POST /orders", 2, 1, Vec::new())], worker.collect())
}

/// One request that publishes all tasks, and every run begins a trace of its own.
fn broken(tasks: u64) -> (Vec<Span>, Vec<Span>) {
    let (api, _) = fan_out(tasks);
    let worker =
        (0..tasks).map(|n| span(trace_id(n + 1), (id(n, 1), 0), "run/t", 5, 1, celery("run", &task(n))));
    (api, worker.collect())
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let args: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let numbers: Vec<u64> = args.iter().filter_map(|argument| argument.parse().ok()).collect();
    let numbers = if numbers.is_empty() { vec![1_000, 10_000, 100_000] } else { numbers };
    let is_chosen = |shape: &str| {
        let named: Vec<_> = args.iter().filter(|argument| argument.parse::<u64>().is_err()).collect();
        named.is_empty() || named.iter().any(|name| **name == shape)
    };
    for (shape, make) in SHAPES.into_iter().filter(|(shape, _)| is_chosen(shape)) {
        for tasks in &numbers {
            measure(shape, *tasks, make);
        }
    }
    if is_chosen("alone") {
        numbers.iter().for_each(|number| alone(number * 10));
    }
}

/// One request of so many spans, each in a trace of its own, as a receiver at 256 MiB files
/// it: a span at a time, with rounds in between and after it.
fn alone(count: u64) {
    let ids = |number: u64| Span {
        trace_id: trace_id(number).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        ..Span::default()
    };
    let request = encode((0..count).map(ids).collect(), "batch");
    let plan = MemoryPlan::new(256 << 20, Uses::default());
    let mut watch = LiveJudge::new(SETTLE, plan.evidence);
    let source = watch.begin_request();
    let mut holds = Holds { source: Some(source), ..Holds::of(&mut watch) };
    let began = used();
    decode_protobuf(&request, &mut holds).expect("prost wrote it");
    let source = holds.source.take().expect("it was put there");
    let at_most = (holds.longest, holds.rounds);
    let mut now = holds.now;
    watch.end_request(source);
    let filed = used().saturating_sub(began);
    let mut after = [Duration::ZERO; 2];
    for _ in 0..200 {
        now += Duration::from_millis(50);
        let rounds = rounds(&mut watch, now);
        after = [after[0].max(rounds[0]), after[1].max(rounds[1])];
    }
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "alone {count:>9} spans: filed in {:.2} s; at most {:.0} ms for a span, {:.0} ms for a part of a round meanwhile and {:.0} ms after, {:.0} and {:.0} ms for populations",
        filed.as_secs_f64(),
        millis(at_most.0),
        millis(at_most.1[0]),
        millis(after[0]),
        millis(at_most.1[1]),
        millis(after[1]),
    );
}

/// The longest part of a round, and of what populations cost.
fn rounds(watch: &mut LiveJudge, now: Duration) -> [Duration; 2] {
    let mut longest = Duration::ZERO;
    for part in 0..PARTS {
        let again = if part == 0 { 500 } else { 0 };
        let pace = Pace { shown: 50, again, work: Pace::WORK / PARTS, thorough: false };
        let began = used();
        watch.round(Moment::at(now), pace);
        longest = longest.max(used().saturating_sub(began));
    }
    let began = used();
    if now.subsec_millis() < 50 {
        watch.judge_populations();
    }
    [longest, used().saturating_sub(began)]
}

/// Files span after span, and notes the longest time for which the lock would be held.
struct Holds<'w> {
    watch: &'w mut LiveJudge,
    source: Option<tracelink::evidence::SpanSource>,
    now: Duration,
    spans: u32,
    /// What was used up to the last look.
    used: Duration,
    longest: Duration,
    rounds: [Duration; 2],
}

impl<'w> Holds<'w> {
    fn of(watch: &'w mut LiveJudge) -> Self {
        let now = Duration::from_secs(1);
        Self {
            watch,
            source: None,
            now,
            spans: 0,
            used: used(),
            longest: Duration::ZERO,
            rounds: [Duration::ZERO; 2],
        }
    }
}

impl Sink for Holds<'_> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.watch.request_sink(self.source.as_mut().expect("it is open")).resource(resource);
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.watch.request_sink(self.source.as_mut().expect("it is open")).scope(scope);
    }

    fn span(&mut self, span: &model::Span<'_>) {
        let began = Instant::now();
        self.watch.request_sink(self.source.as_mut().expect("it is open")).span(span);
        // To ask what was used for each span would cost more than the span does.
        if began.elapsed() > Duration::from_millis(2) {
            let used = used();
            self.longest = self.longest.max(used.saturating_sub(self.used));
            self.used = used;
        }
        self.spans += 1;
        if self.spans.is_multiple_of(1_000) {
            self.used = used();
        }
        if self.spans.is_multiple_of(50_000) {
            self.now += Duration::from_millis(50);
            let rounds = rounds(self.watch, self.now);
            self.rounds = [self.rounds[0].max(rounds[0]), self.rounds[1].max(rounds[1])];
            self.used = used();
        }
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.watch.request_sink(self.source.as_mut().expect("it is open")).refused(why, at);
    }
}

fn measure(shape: &str, tasks: u64, make: Make) {
    let (api, worker) = make(tasks);
    let count = api.len() + worker.len();
    let batches = [(api, "order-api"), (worker, "order-worker")]
        .map(|(spans, service)| spans.chunks(BATCH).map(|spans| encode(spans.to_vec(), service)).collect());
    let [api, worker]: [Vec<Vec<u8>>; 2] = batches;
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(1 << 30));
    let (mut now, mut longest) = (Duration::ZERO, [Duration::ZERO; 3]);
    let mut round = |watch: &mut LiveJudge, now: Duration, number: usize| {
        // As a session does: in four parts, and populations once a second. The lock is
        // let go after each.
        for part in 0..PARTS {
            let began = used();
            let again = if part == 0 { 500 } else { 0 };
            let pace = Pace { shown: 50, again, work: Pace::WORK / PARTS, thorough: false };
            watch.round(Moment::at(now), pace);
            let place = usize::from(part > 0);
            longest[place] = longest[place].max(used().saturating_sub(began));
        }
        if number.is_multiple_of(20) {
            let began = used();
            watch.judge_populations();
            longest[2] = longest[2].max(used().saturating_sub(began));
        }
    };
    let began = used();
    for (number, request) in api.iter().chain(&worker).enumerate() {
        now += REQUEST;
        watch.set_time(Moment::at(now));
        watch.take_request(|sink| decode_protobuf(request, sink)).expect("prost wrote it");
        if number.is_multiple_of(ROUND) {
            round(&mut watch, now, number / ROUND);
        }
    }
    let came = used().saturating_sub(began);
    // Until everything has settled.
    for number in 0..160 {
        now += Duration::from_millis(50);
        round(&mut watch, now, number);
    }
    let settled = used().saturating_sub(began);
    let report = watch.report(Listing::default());
    let [first, other, populations] = longest.map(|longest| longest.as_secs_f64() * 1e3);
    println!(
        "{shape:12} {tasks:>7} tasks {count:>7} spans: {:>8.3} s until all came, {:>8.3} s until all settled, {:>8.3} s with the report; {first:.0} ms for the longest first part of a round, {other:.0} ms for another, {populations:.0} ms for populations; {} hand-offs, {} broken",
        came.as_secs_f64(),
        settled.as_secs_f64(),
        used().saturating_sub(began).as_secs_f64(),
        report.inputs.handoffs,
        report.metrics.broken_handoffs,
    );
}

/// The CPU that this thread has used.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number"))
}
