//! One trace of 100,000 spans: from its first request at the socket to the
//! verdict that is printed, and from a file.
//!
//! `cargo bench --bench tree -- [SPANS]`

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]

use std::io::{BufRead, Read};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;

mod listener;
mod spans;

use listener::{Exporter, Listener};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How the spans hang together. Each has a hand-off in its middle.
#[derive(Clone, Copy)]
enum Shape {
    /// All of them below the root.
    Wide,
    /// Each below the one before.
    Deep,
    /// Ten below each.
    Bushy,
    /// The worker began a trace of its own, with half of them.
    Broken,
}

impl Shape {
    const ALL: [Self; 4] = [Self::Wide, Self::Deep, Self::Bushy, Self::Broken];

    const fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Deep => "deep",
            Self::Bushy => "bushy",
            Self::Broken => "broken",
        }
    }

    /// The parent of a span; 0 for a root.
    const fn parent(self, id: u64, total: u64) -> u64 {
        match self {
            _ if id == 1 => 0,
            // The run, below its producer.
            Self::Wide | Self::Bushy if id == total / 2 => total / 2 - 1,
            Self::Deep => id - 1,
            Self::Bushy => (id - 2) / 10 + 1,
            Self::Broken if id == total / 2 => 0,
            Self::Broken if id > total / 2 => total / 2,
            Self::Wide | Self::Broken => 1,
        }
    }

    fn span(self, id: u64, total: u64) -> (Span, &'static str) {
        let task = "00000001-0000-4000-8000-000000000001";
        let is_worker = matches!(self, Self::Broken) && id >= total / 2;
        let trace = spans::trace_id(u64::from(is_worker));
        let ids = (id, self.parent(id, total));
        let span = match self {
            _ if id == 1 => spans::span(trace, ids, "POST /orders", 2, 20_000, Vec::new()),
            _ if id == total / 2 - 1 => {
                let attributes = spans::celery("apply_async", task);
                spans::span(trace, ids, "apply_async/process_order", 4, 9, attributes)
            }
            _ if id == total / 2 => {
                spans::span(trace, ids, "run/process_order", 5, 9_000, spans::celery("run", task))
            }
            _ => spans::span(trace, ids, "SELECT orders", 3, 1, Vec::new()),
        };
        (span, if is_worker { "order-worker" } else { "order-api" })
    }

    /// The requests, children before their parents as SDKs send them.
    fn requests(self, total: u64) -> Vec<Vec<u8>> {
        let mut requests = Vec::new();
        let mut batch: (Vec<Span>, &str) = (Vec::new(), "");
        for id in (1..=total).rev() {
            let (span, service) = self.span(id, total);
            if batch.0.len() == spans::BATCH || (batch.1 != service && !batch.0.is_empty()) {
                requests.push(spans::encode(std::mem::take(&mut batch.0), batch.1));
            }
            batch.0.push(span);
            batch.1 = service;
        }
        requests.push(spans::encode(batch.0, batch.1));
        requests
    }
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let total = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir().expect("a folder");
    println!("{total} spans; times in ms");
    for shape in Shape::ALL {
        let requests = shape.requests(total);
        listen(shape, &requests);
        let file = folder.path().join("spans.binpb");
        std::fs::write(&file, requests.concat()).expect("writable");
        for format in ["human", "json"] {
            diagnose(shape, &file, format);
        }
    }
}

/// Waits until something is told, then for the end.
fn listen(shape: Shape, requests: &[Vec<u8>]) {
    const SETTLE: Duration = Duration::from_millis(200);
    let settle = format!("{}ms", SETTLE.as_millis());
    for format in ["jsonl", "human"] {
        let mut args = vec!["--settle", &settle];
        if format == "jsonl" {
            args.extend(["--format", format]);
        }
        let mut receiver = Listener::start(&args);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let began = Instant::now();
        let exporter = Exporter::to(receiver.grpc);
        runtime.block_on(async {
            for request in requests {
                assert_eq!(exporter.export(request).await, 0, "it is taken");
            }
        });
        let sent = began.elapsed();
        // With it its connection, for whose end the receiver would wait.
        drop((exporter, runtime));
        let mut line = String::new();
        while line.trim().is_empty() {
            line.clear();
            receiver.stdout.read_line(&mut line).expect("UTF-8");
        }
        let told = began.elapsed();
        receiver.interrupt();
        let mut rest = String::new();
        receiver.stdout.read_to_string(&mut rest).expect("UTF-8");
        let code = receiver.wait();
        let ended = began.elapsed();
        println!(
            "{:<7} listen {format:<6} sent {:>5}   first told {:>5} after   report {:>5} after that   {} lines, {} KiB, exit {code:?}",
            shape.name(),
            sent.as_millis(),
            told.saturating_sub(sent).as_millis(),
            ended.saturating_sub(told).as_millis(),
            1 + rest.lines().count(),
            (line.len() + rest.len()) >> 10,
        );
    }
}

fn diagnose(shape: Shape, file: &Path, format: &str) {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", format])
        .arg(file)
        .output()
        .expect("tracelink runs");
    let took = began.elapsed();
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    println!(
        "{:<7} diagnose {format:<6} {:>5}   {} lines, {} KiB, exit {:?}",
        shape.name(),
        took.as_millis(),
        text.lines().count(),
        text.len() >> 10,
        output.status.code(),
    );
}
