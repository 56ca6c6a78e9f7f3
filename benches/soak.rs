//! A receiver for as long as it takes, through its socket, under a limit of memory
//! that holds a small part of what comes.
//!
//! What it must keep: resident memory at most the idle one and 1.1 times the limit,
//! the report's making included and the pages of the program's file not; every span acknowledged or refused as retryable and
//! sent again; an account of spans that adds up; no orphan that is none; and a report
//! that tells what was let go.
//!
//! `cargo bench --bench soak -- [--spans MILLIONS | --seconds SECONDS] [--clients NUMBER]
//! [--memory MIB] [--broken IN_A_HUNDRED] [--delay SECONDS]`; without any, 10,000,000
//! spans of four clients under 256 MiB. `--delay` is how long the worker's spans come
//! after the API's. 200 clients for ten minutes at full rate are `--clients 200
//! --seconds 600`. Linux, because it reads `/proc`.

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::collections::VecDeque;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

mod listener;
mod spans;

use listener::{Exporter, Listener};
use spans::Batch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `UNAVAILABLE`: it is to be sent again.
const UNAVAILABLE: i32 = 14;

/// What is sent.
#[derive(Clone, Copy)]
struct Load {
    /// How many spans, and for how long at most.
    spans: u64,
    seconds: u64,
    /// Clients that send at a time, each one request after the other.
    clients: usize,
    memory: u64,
    broken: u64,
    delay: Duration,
}

impl Load {
    fn of_arguments() -> Self {
        let args: Vec<_> = std::env::args().collect();
        let given = |name: &str| {
            let place = args.iter().position(|arg| *arg == format!("--{name}"))?;
            let value = args.get(place + 1)?;
            Some(value.parse::<u64>().unwrap_or_else(|_| panic!("--{name} wants a number, not {value}")))
        };
        let seconds = given("seconds");
        let millions = given("spans").unwrap_or(if seconds.is_some() { u64::MAX / 1_000_000 } else { 10 });
        Self {
            spans: millions * 1_000_000,
            seconds: seconds.unwrap_or(u64::MAX),
            clients: usize::try_from(given("clients").unwrap_or(4)).expect("a number of clients"),
            memory: given("memory").unwrap_or(256),
            broken: given("broken").unwrap_or(0),
            delay: Duration::from_secs(given("delay").unwrap_or(0)),
        }
    }
}

/// How it went.
#[derive(Default)]
struct Tally {
    spans: u64,
    /// Requests that had to be sent again.
    again: u64,
    /// How long each request took until it was taken, in microseconds.
    took: Vec<u64>,
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let load = Load::of_arguments();
    let limit = format!("{}MiB", load.memory);
    let mut receiver = Listener::start(&["--max-memory", &limit, "--format", "json"]);
    let idle = receiver.peak().expect("it runs");
    let began = Instant::now();
    let Tally { spans, again, mut took } = send(&receiver, load);
    let lasted = began.elapsed();
    let used = cpu(receiver.pid());
    let ends = Instant::now();
    receiver.interrupt();
    // The report is made within the limit too.
    let pid = receiver.pid();
    let peak = std::thread::spawn(move || {
        let mut peak = 0;
        while let Some(now) = listener::peak(pid) {
            peak = now;
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let mut report = String::new();
    receiver.stdout.read_to_string(&mut report).expect("UTF-8");
    let ended_in = ends.elapsed();
    let code = receiver.wait();
    let peak = peak.join().expect("it watches");
    let report: Value = serde_json::from_str(&report).expect("a report");

    let part = (peak - idle) as f64 / (load.memory << 20) as f64;
    println!(
        "{} clients, {spans} spans in {:.0} s: {:.0} a second, {:.2} µs of CPU each; {again} requests sent again",
        load.clients,
        lasted.as_secs_f64(),
        spans as f64 / lasted.as_secs_f64(),
        used.as_secs_f64() * 1e6 / spans as f64,
    );
    took.sort_unstable();
    let within = |share: usize| took[(took.len() * share / 1_000).min(took.len() - 1)] as f64 / 1e3;
    println!(
        "an export took {:.1} ms (p50), {:.1} ms (p99), {:.1} ms at most",
        within(500),
        within(990),
        within(1_000)
    );
    println!(
        "idle {:.1} MiB, at most {:.1} MiB: {:.1} % of the limit more",
        mib(idle),
        mib(peak),
        part * 100.0
    );
    println!("the report came in {:.2} s, exit {code:?}", ended_in.as_secs_f64());
    println!("inputs {}\nlimits {}", report["inputs"], report["limits"]);
    let findings = report["findings"].as_array().expect("a list");
    for finding in findings {
        println!("{} {} {}: {}", finding["severity"], finding["slug"], finding["count"], finding["message"]);
    }

    assert!(part <= 1.1, "more than a tenth above the limit");
    let account = &report["inputs"]["span_account"];
    let figure = |name: &str| account[name].as_u64().expect("a figure");
    assert_eq!(figure("received"), spans, "what was acknowledged is in the report");
    let sum: u64 = ["held", "evicted", "rejected", "duplicates"].map(figure).iter().sum();
    assert_eq!(sum, spans, "it adds up: {account}");
    assert!(figure("evicted") > 0, "nothing was let go");
    let told: Vec<_> = findings.iter().filter_map(|finding| finding["slug"].as_str()).collect();
    assert!(told.contains(&"evidence-evicted"), "evictions are told: {told:?}");
    let invented: Vec<_> = told.iter().filter(|slug| **slug != "evidence-evicted").collect();
    assert!(load.broken > 0 || invented.is_empty(), "invented: {invented:?}");
}

/// Sends everything until it is acknowledged, and says each ten seconds how it goes.
fn send(receiver: &Listener, load: Load) -> Tally {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let (requests, waiting) = tokio::sync::mpsc::channel::<Batch>(64);
    let waiting = Arc::new(tokio::sync::Mutex::new(waiting));
    let clients: Vec<_> = (0..load.clients)
        .map(|_| {
            let (waiting, tally) = (Arc::clone(&waiting), Arc::clone(&tally));
            let exporter = Exporter::to(receiver.grpc);
            runtime.spawn(async move {
                loop {
                    let next = waiting.lock().await.recv().await;
                    let Some(batch) = next else { break };
                    let began = Instant::now();
                    let mut again = 0;
                    loop {
                        match exporter.export(&batch.request).await {
                            0 => break,
                            UNAVAILABLE => again += 1,
                            status => panic!("grpc-status {status}"),
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    let mut tally = tally.lock().expect("nobody panicked");
                    tally.spans += batch.spans;
                    tally.again += again;
                    tally.took.push(u64::try_from(began.elapsed().as_micros()).expect("short"));
                }
            })
        })
        .collect();
    let (began, mut told) = (Instant::now(), 0);
    let mut behind = VecDeque::new();
    let send = |batch| requests.blocking_send(batch).unwrap_or_else(|_| panic!("a client has ended"));
    for batch in spans::batches(0..load.spans / spans::SPANS, load.broken) {
        let seconds = began.elapsed().as_secs();
        if batch.is_workers && !load.delay.is_zero() {
            behind.push_back((Instant::now() + load.delay, batch));
        } else {
            send(batch);
        }
        while behind.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            behind.pop_front().into_iter().for_each(|(_, batch)| send(batch));
        }
        if seconds / 10 > told {
            told = seconds / 10;
            let resident = receiver.memory("VmRSS").expect("it runs");
            let spans = tally.lock().expect("nobody panicked").spans;
            println!("{seconds:>5} s {spans:>10} spans   {:.1} MiB resident", mib(resident));
        }
        if seconds >= load.seconds {
            break;
        }
    }
    for (due, batch) in behind {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        send(batch);
    }
    drop(requests);
    runtime.block_on(async {
        for client in clients {
            client.await.expect("it sends everything");
        }
    });
    std::mem::take(&mut tally.lock().expect("nobody panicked"))
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
