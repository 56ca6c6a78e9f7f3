//! `inspect-queue --all` on a million messages of 1.2 KB, against a bare fetch
//! of the same bytes: `cargo bench --bench queue`. It starts a Redis of its own
//! and needs 2 GB of memory. `QUEUE_MESSAGES` changes the number.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod messages;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../tests/support/redis.rs"]
mod redis;

fn main() {
    // `cargo test --benches` only asks whether it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let messages: u64 =
        std::env::var("QUEUE_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let server = redis::RedisServer::start();
    let bytes = fill(server.port, messages);
    println!("{messages} messages of {} bytes", bytes / messages);

    let started = Instant::now();
    let fetched = fetch(server.port, messages);
    println!("bare fetch             {:>6.2} s   {} bytes", started.elapsed().as_secs_f64(), fetched);

    for round in 1..=3 {
        let started = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["inspect-queue", "--all", "--quiet", "--broker", &server.url()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        let peak = peak_memory(child.id());
        let output = child.wait_with_output().expect("it ends");
        let seconds = started.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
        println!(
            "inspect-queue --all {round}  {seconds:>6.2} s   {} MB   {said}",
            peak.join().unwrap_or(0) / 1024
        );
    }
}

/// Watches the resident memory of a process, in KiB, until it ends.
fn peak_memory(id: u32) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        while let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|line| line.split_whitespace().next()?.parse().ok()) else { break };
            peak = kib;
            std::thread::sleep(Duration::from_millis(20));
        }
        peak
    })
}

/// Publishes as kombu does, a thousand at a time; how many bytes in all.
fn fill(port: u16, messages: u64) -> u64 {
    const AT_ONCE: u64 = 1_000;
    let mut wire = redis::Wire::connect(port);
    wire.ask(&[b"SADD", b"_kombu.binding.celery", b"celery\x06\x16\x06\x16celery"]);
    let mut bytes = 0;
    for from in (0..messages).step_by(usize::try_from(AT_ONCE).expect("small")) {
        let batch: Vec<String> = (from..messages.min(from + AT_ONCE)).map(messages::message).collect();
        bytes += batch.iter().map(|message| message.len() as u64).sum::<u64>();
        let command: Vec<&[u8]> =
            [b"LPUSH".as_slice(), b"celery"].into_iter().chain(batch.iter().map(String::as_bytes)).collect();
        wire.ask(&command);
    }
    bytes
}

/// Fetches the list in pages and throws it away; how many bytes came.
fn fetch(port: u16, messages: u64) -> u64 {
    const PAGE: u64 = 1_000;
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("Redis listens");
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let mut bytes = 0;
    let mut buffer = Vec::new();
    for from in (0..messages).step_by(usize::try_from(PAGE).expect("small")) {
        let command = format!("LRANGE celery {from} {}\r\n", from + PAGE - 1);
        reader.get_mut().write_all(command.as_bytes()).expect("Redis reads");
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer");
        let entries: u64 = line.trim_end().trim_start_matches('*').parse().expect("a number of entries");
        for _ in 0..entries {
            line.clear();
            reader.read_line(&mut line).expect("an answer");
            let length: usize = line.trim_end().trim_start_matches('$').parse().expect("a length");
            buffer.resize(length + 2, 0);
            reader.read_exact(&mut buffer).expect("an entry");
            bytes += length as u64;
        }
    }
    bytes
}
