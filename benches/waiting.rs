//! How long an export of one hand-off waits while a request of a million spans is filed,
//! and while what it brought settles and is judged.
//!
//! `cargo bench --bench waiting -- [--spans NUMBER] [--memory MIB]`; without any, a
//! million under 256 MiB. The exports come one after the other, each 10 ms after the
//! last was answered.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::io::Read;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;

mod listener;
mod spans;

use listener::{Exporter, Listener};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For how long exports go on once the request is answered: until it has settled.
const AFTER: Duration = Duration::from_secs(12);
const PAUSE: Duration = Duration::from_millis(10);

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let args: Vec<_> = std::env::args().collect();
    let given = |name: &str, or: u64| {
        let place = args.iter().position(|arg| arg == name);
        place.and_then(|place| args.get(place + 1)).map_or(or, |value| value.parse().expect("a number"))
    };
    let (count, memory) = (given("--spans", 1_000_000), given("--memory", 256));
    measure("each in a trace of its own", count, memory, spans::trace_id);
    measure("all in one trace", count, memory, |_| spans::trace_id(0));
}

/// A request with so many spans, each with its ids and no more.
fn long(count: u64, trace: fn(u64) -> u128) -> Vec<u8> {
    let ids = |number: u64| Span {
        trace_id: trace(number).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        ..Span::default()
    };
    spans::encode((0..count).map(ids).collect(), "batch")
}

fn measure(shape: &str, count: u64, memory: u64, trace: fn(u64) -> u128) {
    let mut receiver = Listener::start(&["--max-memory", &format!("{memory}MiB"), "--format", "json"]);
    let request = long(count, trace);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let (took, mut meanwhile, mut after) = runtime.block_on(async {
        let (began, exporter) = (Instant::now(), Exporter::to(receiver.grpc));
        let filed = runtime.spawn(async move {
            assert_eq!(exporter.export(&request).await, 0, "it is taken");
            began.elapsed()
        });
        let exporter = Exporter::to(receiver.grpc);
        let (mut meanwhile, mut after, mut ended) = (Vec::new(), Vec::new(), None);
        // Far from the ids of the long request.
        for number in 1 << 24.. {
            let request = spans::encode(spans::handoff(number, false).0, "order-api");
            let sent = Instant::now();
            assert_eq!(exporter.export(&request).await, 0, "it is taken");
            let waited = sent.elapsed();
            if filed.is_finished() {
                after.push(waited);
                if ended.get_or_insert_with(Instant::now).elapsed() > AFTER {
                    break;
                }
            } else {
                meanwhile.push(waited);
            }
            tokio::time::sleep(PAUSE).await;
        }
        (filed.await.expect("it is answered"), meanwhile, after)
    });
    println!("{count} spans, {shape}, under {memory} MiB: filed in {:.2} s", took.as_secs_f64());
    for (when, waited) in [("meanwhile", &mut meanwhile), ("in the 12 s after it", &mut after)] {
        waited.sort_unstable();
        let share = |part: usize| waited.get(waited.len() * part / 1_000).or(waited.last());
        let millis = |part: usize| share(part).map_or(f64::NAN, |waited| waited.as_secs_f64() * 1e3);
        println!(
            "  {when} {} exports waited {:.1} ms (p50), {:.1} ms (p99), {:.1} ms at most",
            waited.len(),
            millis(500),
            millis(990),
            millis(1_000)
        );
    }
    receiver.interrupt();
    receiver.stdout.read_to_string(&mut String::new()).expect("UTF-8");
    receiver.wait();
}
