//! `--max-memory` of the built binary: what is resident at most, whatever comes, and
//! what is said of what found no room.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::listener::Listener;

#[path = "../../benches/spans/mod.rs"]
mod spans;

const MIB: u64 = 1 << 20;

/// Posts a protobuf request, and returns the answer's status.
pub fn post(port: u16, body: &[u8], coding: &str) -> u16 {
    try_post(port, body, coding).expect("it answers")
}

/// The same where the connection may be closed in favour of another.
fn try_post(port: u16, body: &[u8], coding: &str) -> io::Result<u16> {
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\n\
         content-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other(format!("no status: {answer}")))
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Spans that are nothing but their ids, each in a trace of its own.
pub fn smallest(from: u64, count: u64) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let mut out = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut out);
        out.extend_from_slice(content);
        out
    };
    let span = |number: u64| {
        let trace = field(1, &spans::trace_id(number).to_be_bytes());
        field(2, &[trace, field(2, &(number + 1).to_be_bytes())].concat())
    };
    let spans: Vec<u8> = (from..from + count).flat_map(span).collect();
    field(1, &field(2, &spans))
}

/// Connections that stop in the middle of a head, or of a body.
fn stopped(port: u16, count: usize) -> Vec<TcpStream> {
    let body = "POST /v1/traces HTTP/1.1\r\nhost: test\r\ncontent-type: application/x-protobuf\r\n\
                content-length: 1000000\r\n\r\n";
    let connections = (0..count).map(|number| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let start = if number % 2 == 0 { "GET / HTTP/1.1\r\nx: " } else { body };
        let bytes = [start.as_bytes(), &vec![b'x'; 40 << 10]].concat();
        // It may be shut out while it writes.
        let _ = stream.write_all(&bytes);
        stream
    });
    connections.collect()
}

#[test]
fn the_peak_stays_within_the_limit_whatever_comes() {
    the_peak_stays_within(128);
}

/// Huge pages and what the allocator kept once took 46 MiB here.
#[test]
fn the_peak_stays_within_a_small_limit_whatever_comes() {
    the_peak_stays_within(16);
}

/// 900,000 spans in 3 MiB of deflate once took 784 MiB at 256 MiB.
fn the_peak_stays_within(mib: u64) {
    let limit = mib * MIB;
    let listener = Listener::start(&["--max-memory", &format!("{mib}MiB"), "--settle", "1s"]);
    // Pages of the program itself are read from its file when it first gets there.
    let of_file = || listener.memory("RssFile").expect("it runs");
    let peak = || listener.memory("VmHWM").expect("it runs") - of_file();
    let idle = peak();
    let mut peaks = Vec::new();
    let mut sent = 0;
    // Each holds twice as many spans as there is room for.
    let twice = 1_250 * mib;
    for number in 0..2 {
        let body = smallest(number * twice, twice);
        assert_eq!(post(listener.http, &deflated(&body), "deflate"), 200);
        sent += twice;
    }
    peaks.push(("full", peak()));
    // One that never fits, packed or not: it is not to come again.
    let large = smallest(0, 7_000 * mib);
    assert_eq!(post(listener.http, &deflated(&large), "deflate"), 413);
    assert_eq!(post(listener.http, &large, "identity"), 413);
    peaks.push(("too large", peak()));
    // Several clients at once, with hand-offs, beside others that have stopped.
    let port = listener.http;
    let stopped = stopped(port, 100);
    peaks.push(("stopped", peak()));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            std::thread::spawn(move || {
                let mut sent = 0;
                for request in spans::requests(client * 1_000..(client + 1) * 1_000, 0) {
                    // As exporters do where there is no room, or the connection is closed.
                    while try_post(port, &request, "identity").ok() != Some(200) {}
                    sent += 1;
                }
                assert!(sent > 15, "{sent}");
                1_000 * spans::SPANS
            })
        })
        .collect();
    sent += clients.into_iter().map(|client| client.join().expect("no panic")).sum::<u64>();
    drop(stopped);
    peaks.push(("clients", peak()));
    // One trace that is larger than all.
    let child = |id: u64| spans::span(7, (1 << 40 | id, 1 << 50 | id), "step", 1, 1, Vec::new());
    for part in 0..12 {
        let spans = (part * 5_000..(part + 1) * 5_000).map(child).collect();
        assert_eq!(post(listener.http, &spans::encode(spans, "order-worker"), "identity"), 200);
        sent += 5_000;
    }
    peaks.push(("one trace", peak()));
    listener.signal(Signal::INT);
    let mut at_end = 0;
    while let (Some(now), Some(of_file)) = (listener.memory("VmHWM"), listener.memory("RssFile")) {
        at_end = at_end.max(now - of_file);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    peaks.push(("report", at_end));
    let report = listener.wait().report();
    let account = &report["inputs"]["span_account"];
    let figure = |name: &str| account[name].as_u64().expect("a figure");
    // A request whose connection is closed under it may come twice.
    let received = figure("received");
    assert!(received >= sent && received - sent <= figure("duplicates"), "{sent}: {account}");
    let parts = ["held", "evicted", "rejected", "duplicates"];
    assert_eq!(received, parts.iter().map(|name| figure(name)).sum::<u64>(), "{account}");
    assert!(figure("evicted") > sent / 2 && figure("held") > 80 * mib, "{account}");
    let told = report["findings"].as_array().expect("a list");
    assert!(told.iter().any(|finding| finding["slug"] == "evidence-evicted"), "{told:?}");
    let figures: Vec<_> = peaks
        .iter()
        .map(|(what, peak)| format!("{what}: {} KiB", peak.saturating_sub(idle) / 1024))
        .collect();
    let most = peaks.iter().map(|(_, peak)| *peak).max().expect("several");
    assert!(most <= idle + limit + limit / 10, "{figures:?} over {} KiB idle", idle / 1024);
    assert!(most >= idle + limit / 4, "it was never full: {figures:?}");
}
