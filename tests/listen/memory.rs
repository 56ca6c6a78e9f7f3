//! `--max-memory` of the built binary: what is resident at most, whatever comes, and
//! what is said of what found no room.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use super::listener::Listener;

#[path = "../../benches/spans/mod.rs"]
mod spans;

const MIB: u64 = 1 << 20;
/// Below it, what threads keep ready weighs more than a tenth: `docs/limits.md`.
const LIMIT: u64 = 128 * MIB;

/// Posts a protobuf request, and returns the answer's status.
pub fn post(port: u16, body: &[u8], coding: &str) -> u16 {
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-type: application/x-protobuf\r\n\
         content-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(&[head.as_bytes(), body].concat()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
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

/// 900,000 spans in 3 MiB of deflate once took 784 MiB at 256 MiB.
#[test]
fn the_peak_stays_within_the_limit_whatever_comes() {
    let listener = Listener::start(&["--max-memory", "128MiB", "--settle", "1s"]);
    // Pages of the program itself are read from its file when it first gets there.
    let of_file = || listener.memory("RssFile").expect("it runs");
    let idle = listener.memory("VmHWM").expect("it runs") - of_file();
    let mut sent = 0;
    // Each holds twice as many spans as there is room for.
    for number in 0..2 {
        let body = smallest(number * 160_000, 160_000);
        assert_eq!(post(listener.http, &deflated(&body), "deflate"), 200);
        sent += 160_000;
    }
    // One that never fits, packed or not: it is not to come again.
    let large = smallest(0, 900_000);
    assert_eq!(post(listener.http, &deflated(&large), "deflate"), 413);
    assert_eq!(post(listener.http, &large, "identity"), 413);
    // Several clients at once, with hand-offs.
    let port = listener.http;
    let clients: Vec<_> = (0..4)
        .map(|client| {
            std::thread::spawn(move || {
                let mut sent = 0;
                for request in spans::requests(client * 1_000..(client + 1) * 1_000, 0) {
                    while post(port, &request, "identity") == 429 {}
                    sent += 1;
                }
                assert!(sent > 15, "{sent}");
                1_000 * spans::SPANS
            })
        })
        .collect();
    sent += clients.into_iter().map(|client| client.join().expect("no panic")).sum::<u64>();
    // One trace that is larger than all.
    let child = |id: u64| spans::span(7, (1 << 40 | id, 1 << 50 | id), "step", 1, 1, Vec::new());
    for part in 0..12 {
        let spans = (part * 5_000..(part + 1) * 5_000).map(child).collect();
        assert_eq!(post(listener.http, &spans::encode(spans, "order-worker"), "identity"), 200);
        sent += 5_000;
    }
    let busy = listener.memory("VmHWM").expect("it runs") - of_file();
    listener.signal(Signal::INT);
    let mut peak = busy;
    while let (Some(now), Some(of_file)) = (listener.memory("VmHWM"), listener.memory("RssFile")) {
        peak = peak.max(now - of_file);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let report = listener.wait().report();
    let account = &report["inputs"]["span_account"];
    let figure = |name: &str| account[name].as_u64().expect("a figure");
    assert_eq!(figure("received"), sent, "{account}");
    let parts = ["held", "evicted", "rejected", "duplicates"];
    assert_eq!(sent, parts.iter().map(|name| figure(name)).sum::<u64>(), "{account}");
    assert!(figure("evicted") > sent / 2 && figure("held") > 10_000, "{account}");
    let told = report["findings"].as_array().expect("a list");
    assert!(told.iter().any(|finding| finding["slug"] == "evidence-evicted"), "{told:?}");
    let figures = format!("idle {idle}, busy {busy}, peak {peak}: {} KiB more", (peak - idle) / 1024);
    assert!(peak <= idle + LIMIT + LIMIT / 10, "{figures}");
    assert!(peak >= idle + LIMIT / 4, "it was never full: {figures}");
}
