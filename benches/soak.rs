//! A receiver for as long as it takes: 10,000,000 spans in 1,000,000 traces
//! through its socket, under a limit of memory that holds a tenth of them.
//!
//! What it must keep: resident memory at most a tenth above the limit, every
//! span acknowledged or refused as retryable and sent again, no orphan that is
//! none, and a report that tells what was let go.
//!
//! `cargo bench --bench soak -- [MILLIONS OF SPANS] [MEMORY IN MIB] [BROKEN IN A HUNDRED]`;
//! Linux, because it reads `/proc`.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

mod listener;
#[allow(dead_code, reason = "other benches need more of it")]
mod spans;

use listener::{Exporter, Listener};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exporters that send at a time; each takes every so-manieth request.
const EXPORTERS: u64 = 4;
/// `UNAVAILABLE`: it is to be sent again.
const UNAVAILABLE: i32 = 14;
/// The part of all spans after which it is warm.
const WARM: u64 = 5;

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let millions = args.next().unwrap_or(10);
    let memory = args.next().unwrap_or(256);
    let broken = args.next().unwrap_or(0);
    let handoffs = millions * 1_000_000 / spans::SPANS;

    let limit = format!("{memory}MiB");
    let mut receiver = Listener::start(&["--max-memory", &limit, "--format", "json"]);
    let began = Instant::now();
    let (sent, again) = send(&receiver, handoffs, broken);
    let took = began.elapsed();
    let used = cpu(receiver.pid());
    let highest = receiver.memory("VmHWM");
    let ends = Instant::now();
    receiver.interrupt();
    let mut report = String::new();
    receiver.stdout.read_to_string(&mut report).expect("UTF-8");
    let ended_in = ends.elapsed();
    let code = receiver.wait();
    let report: Value = serde_json::from_str(&report).expect("a report");

    let part = highest as f64 / (memory << 20) as f64;
    println!(
        "{sent} spans in {:.0} s: {:.0} a second, {:.2} µs of CPU each; {again} requests sent again",
        took.as_secs_f64(),
        sent as f64 / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / sent as f64,
    );
    println!("at most {:.1} MiB resident: {:.1} % of the limit", mib(highest), part * 100.0);
    println!("the report came in {:.2} s, exit {code:?}", ended_in.as_secs_f64());
    println!("inputs {}\nlimits {}", report["inputs"], report["limits"]);
    let findings = report["findings"].as_array().expect("a list");
    for finding in findings {
        println!("{} {} {}: {}", finding["severity"], finding["slug"], finding["count"], finding["message"]);
    }

    assert!(part <= 1.1, "more than a tenth above the limit");
    assert_eq!(report["inputs"]["spans"], sent, "what was acknowledged is in the report");
    assert!(
        report["limits"]["evicted_traces"].as_u64().is_some_and(|evicted| evicted > 0),
        "nothing was let go"
    );
    let told: Vec<_> = findings.iter().filter_map(|finding| finding["slug"].as_str()).collect();
    assert!(told.contains(&"evidence-evicted"), "evictions are told: {told:?}");
    let invented: Vec<_> = told.iter().filter(|slug| **slug != "evidence-evicted").collect();
    assert!(broken > 0 || invented.is_empty(), "invented: {invented:?}");
}

/// Sends everything until it is acknowledged, and says each ten seconds how it
/// goes. Returns how many spans that are, and how many requests had to be sent
/// again.
fn send(receiver: &Listener, handoffs: u64, broken: u64) -> (u64, u64) {
    let (sent, again) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (requests, waiting) = tokio::sync::mpsc::channel::<Vec<u8>>(64);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let exporters: Vec<_> = (0..EXPORTERS)
        .map(|_| {
            let (waiting, sent, again) = (Arc::clone(&waiting), Arc::clone(&sent), Arc::clone(&again));
            let exporter = Exporter::to(receiver.grpc);
            runtime.spawn(async move {
                loop {
                    let next = waiting.lock().await.recv().await;
                    let Some(request) = next else { break };
                    loop {
                        match exporter.export(&request).await {
                            0 => break,
                            UNAVAILABLE => again.fetch_add(1, Ordering::Relaxed),
                            status => panic!("grpc-status {status}"),
                        };
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (began, mut told) = (Instant::now(), 0);
    let mut warm = None;
    for request in spans::requests(0..handoffs, broken) {
        requests.blocking_send(request).expect("they send");
        let (so_far, seconds) = (sent.load(Ordering::Relaxed), began.elapsed().as_secs());
        if warm.is_none() && so_far * spans::BATCH as u64 * WARM >= handoffs * spans::SPANS {
            warm = Some(receiver.memory("VmRSS"));
        }
        if seconds / 10 > told {
            told = seconds / 10;
            println!(
                "{seconds:>5} s {so_far:>8} requests   {:.1} MiB resident",
                mib(receiver.memory("VmRSS"))
            );
        }
    }
    drop(requests);
    runtime.block_on(async {
        for exporter in exporters {
            exporter.await.expect("it sends everything");
        }
    });
    if let Some(warm) = warm {
        let now = receiver.memory("VmRSS");
        println!("{:.1} MiB resident when warm, {:.1} MiB at the end", mib(warm), mib(now));
    }
    // Each of them was acknowledged.
    (handoffs * spans::SPANS, again.load(Ordering::Relaxed))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The CPU that a process has used.
fn cpu(pid: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs, on Linux");
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
