//! What watching a broker of very many queues takes in memory: a `listen` beside
//! a redis-server of its own, in which ten thousand queues are bound and filled.
//!
//! Resident memory must stay within what an idle `listen` takes and 1.1 times
//! `--max-memory`, and what found no room must be said.
//!
//! `cargo bench --bench queues -- [QUEUES] [MEMORY IN MIB] [SECONDS]`; Linux,
//! because it reads `/proc`, with `redis-server` on the `PATH` (Debian's package
//! `redis-server`).

#![allow(clippy::disallowed_methods, reason = "a measurement needs a clock")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

mod listener;

use listener::Listener;

/// A redis-server that ends with it.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn();
        let process = process.unwrap_or_else(|error| {
            panic!(
                "redis-server cannot be started ({error}): install it, such as Debian's package redis-server"
            )
        });
        let server = Self { process, port };
        let began = Instant::now();
        while server.connection().is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn connection(&self) -> Option<redis::Connection> {
        redis::Client::open(self.url()).ok()?.get_connection().ok()
    }

    /// Binds queues as kombu does, each to an exchange of its own, and puts a
    /// message into each.
    fn fill(&self, queues: u32) {
        let mut connection = self.connection().expect("it answers");
        for first in (0..queues).step_by(500) {
            let mut pipe = redis::pipe();
            for number in first..(first + 500).min(queues) {
                let queue = format!("tenant-{number:05}-orders");
                let member = format!("{queue}\u{6}\u{16}\u{6}\u{16}{queue}");
                pipe.sadd(format!("_kombu.binding.{queue}"), member).ignore();
                pipe.lpush(&queue, envelope(&queue, number)).ignore();
            }
            pipe.query::<()>(&mut connection).expect("it takes them");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn envelope(queue: &str, number: u32) -> String {
    let id = format!("d580ee63-5e29-49b3-aef9-{number:012x}");
    serde_json::json!({
        "body": "W1tdLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsfV0=", "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py", "task": "shop.process_order", "id": id, "root_id": id, "retries": 0,
            "argsrepr": "()", "kwargsrepr": "{}", "origin": "gen1@api",
            "traceparent": format!("00-{number:032x}-{number:016x}-01"),
        },
        "properties": {
            "correlation_id": id, "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
            "delivery_info": {"exchange": queue, "routing_key": queue}, "delivery_tag": id,
        },
    })
    .to_string()
}

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u32>().ok());
    let queues = args.next().unwrap_or(10_000);
    let memory = args.next().unwrap_or(16);
    let seconds = args.next().unwrap_or(120);
    let limit = format!("{memory}MiB");
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    let options = ["--max-memory", &limit, "--format", "json", "--broker", &server.url()];

    // An idle one watches the same broker before anything is in it.
    let idle = Listener::start(&options);
    std::thread::sleep(Duration::from_secs(3));
    let idle_bytes = idle.memory("VmHWM").expect("it runs");
    idle.interrupt();
    idle.wait();

    server.fill(queues);
    let mut receiver = Listener::start(&options);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(u64::from(seconds)) {
        std::thread::sleep(Duration::from_secs(10));
        println!(
            "{:4.0} s: {:.1} MiB",
            began.elapsed().as_secs_f64(),
            mib(receiver.memory("VmRSS").expect("it runs"))
        );
    }
    let peak = receiver.memory("VmHWM").expect("it runs");
    receiver.interrupt();
    let mut report = String::new();
    receiver.stdout.read_to_string(&mut report).expect("UTF-8");
    receiver.wait();
    let report: Value = serde_json::from_str(&report).expect("a report");

    println!("idle {:.1} MiB, peak {:.1} MiB, limit {memory} MiB", mib(idle_bytes), mib(peak));
    println!("inputs {}\nlimits {}", report["inputs"], report["limits"]);
    let most = idle_bytes as f64 + 1.1 * f64::from(memory) * f64::from(1 << 20);
    assert!(peak as f64 <= most, "more than an idle one and 1.1 times the limit");
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
