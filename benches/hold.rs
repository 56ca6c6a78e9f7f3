//! What a span costs a receiver that goes on for long: decoded, filed, joined,
//! judged, and let go; in time, and in memory.
//!
//! `cargo bench --bench hold -- [MILLIONS OF SPANS] [MEMORY IN MIB]`

#![allow(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::{Duration, Instant};

use tracelink::diagnosis::{Listing, LiveJudge, Pace};
use tracelink::evidence::Moment;
use tracelink::live::MemoryPlan;
use tracelink::wire::otlp::decode_protobuf;

mod spans;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Hand-offs whose requests are made at a time, so that making them is not timed.
const CHUNK: u64 = 20_000;
/// How many spans come in a second of the receiver's clock.
const RATE: u64 = 100_000;
/// A round of judging comes after so many requests, as every 50 ms at that rate.
const ROUND: usize = 10;

/// Resident memory in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let millions = args.next().unwrap_or(2);
    let memory = usize::try_from(args.next().unwrap_or(1024)).expect("a size") << 20;
    let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(memory));
    let before = resident();
    let (mut took, mut spans, mut highest) = (Duration::ZERO, 0, 0);
    let total = millions * 1_000_000 / spans::SPANS;
    for first in (0..total).step_by(usize::try_from(CHUNK).expect("small")) {
        let requests: Vec<_> = spans::requests(first..(first + CHUNK).min(total), 1).collect();
        let own: u64 = requests.iter().map(|request| request.capacity() as u64).sum();
        let start = Instant::now();
        for (number, request) in requests.iter().enumerate() {
            let now = Moment::at(Duration::from_secs_f64(spans as f64 / RATE as f64));
            watch.set_time(now);
            spans += watch.take_request(|sink| decode_protobuf(request, sink)).expect("prost wrote it").spans;
            if number.is_multiple_of(ROUND) {
                watch.round(now, Pace { shown: 1, again: 500, work: Pace::WORK, thorough: false });
            }
        }
        took += start.elapsed();
        highest = highest.max(resident().saturating_sub(before + own));
    }
    let held = watch.evidence.spans.held_spans() as f64;
    let (bytes, resident) = (watch.bytes() as f64, resident().saturating_sub(before) as f64);
    println!(
        "{spans} spans: {:.2} µs a span; {held} held: {:.0} bytes a span counted, {:.0} resident; {:.0} MB counted, {:.0} MB resident, {:.0} MB at most",
        took.as_secs_f64() * 1e6 / spans as f64,
        bytes / held,
        resident / held,
        bytes / 1e6,
        resident / 1e6,
        highest as f64 / 1e6,
    );
    let start = Instant::now();
    let report = watch.report(Listing::default());
    println!(
        "report in {:.2} s: {} hand-offs, {} broken, {} traces let go",
        start.elapsed().as_secs_f64(),
        report.inputs.handoffs,
        report.metrics.broken_handoffs,
        report.limits.evicted_traces
    );
}
