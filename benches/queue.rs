//! `inspect-queue --all` on a million messages of 1.2 KB, against a bare fetch
//! of the same bytes: `cargo bench --bench queue`. It starts a Redis of its own
//! and needs 2 GB of memory. `QUEUE_MESSAGES` changes the number.

#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
        let batch: Vec<String> = (from..messages.min(from + AT_ONCE)).map(message).collect();
        bytes += batch.iter().map(|message| message.len() as u64).sum::<u64>();
        let command: Vec<&[u8]> =
            [b"LPUSH".as_slice(), b"celery"].into_iter().chain(batch.iter().map(String::as_bytes)).collect();
        wire.ask(&command);
    }
    bytes
}

fn message(number: u64) -> String {
    let id = format!("{number:08x}-1c2d-4e3f-8a4b-5c6d7e8f9a0b");
    let task =
        ["shop.tasks.process_order", "shop.tasks.send_mail", "shop.tasks.sync_stock", "billing.charge"]
            [usize::try_from(number % 4).expect("small")];
    let note = "W1sib3JkZXJfdTEyM19wNDU2IiwgeyJ1c2VyX2lkIjogInUxMjMiLCAicHJvZHVjdF9pZCI6ICJwNDU2IiwgInF1YW50aXR5IjogMn1dLCB7fSwgeyJjYWxsYmFja3MiOiBudWxsLCAiZXJyYmFja3MiOiBudWxsLCAiY2hhaW4iOiBudWxsLCAiY2hvcmQiOiBudWxsfV0=";
    format!(
        r#"{{"body": "{note}", "content-encoding": "utf-8", "content-type": "application/json", "headers": {{"lang": "py", "task": "{task}", "id": "{id}", "shadow": null, "eta": null, "expires": null, "group": null, "group_index": null, "retries": 0, "timelimit": [null, null], "root_id": "{id}", "parent_id": null, "argsrepr": "['order_{number}', {{'user_id': 'u{number}', 'product_id': 'p456', 'quantity': 2}}]", "kwargsrepr": "{{}}", "origin": "gen{}@web-{}", "ignore_result": false, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {{}}, "traceparent": "00-{:032x}-{:016x}-03"}}, "properties": {{"correlation_id": "{id}", "reply_to": "7eda4d7f-1c60-3257-b9c7-aa5e23a1e9ce", "delivery_mode": 2, "delivery_info": {{"exchange": "", "routing_key": "celery"}}, "priority": 0, "body_encoding": "base64", "delivery_tag": "{id}"}}}}"#,
        600 + number % 8,
        number % 8,
        u128::from(number + 1) << 64 | 7,
        number + 1
    )
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
