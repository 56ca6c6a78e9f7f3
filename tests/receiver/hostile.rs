//! Limits of bytes and time hold against whoever sends.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use tonic::Code;
use tonic::codec::CompressionEncoding;
use tracelink::evidence::Outcome;
use tracelink::receiver::{Budget, Ports, Receiver, ReceiverLimits, Signal};

use super::inbox::{Book, House, ask, connect, say};
use super::ports::call;

const GZIP: &str = "content-type: application/json\r\ncontent-encoding: gzip\r\n";

/// 300 MB of zeros in about 300 KB.
fn bomb() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1_000_000];
    for _ in 0..300 {
        gzip.write_all(&zeros).expect("memory");
    }
    gzip.finish().expect("memory")
}

#[test]
fn a_bomb_is_too_large_and_holds_little() {
    let house = House::with(|limits| limits.request = 8 << 20);
    let answer = ask(house.http, "POST /v1/traces", GZIP, &bomb());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let status = call(house.grpc, Signal::Traces.method(), Some(CompressionEncoding::Gzip), vec![0; 9 << 20]);
    let status = status.expect_err("too large");
    assert_eq!((status.code(), status.details()), (Code::ResourceExhausted, &b""[..]));
    house.book.wait(Outcome::TooLarge, 2);
    // Both halves stand side by side for as long as the one is copied to the other.
    assert!(house.budget.peak() < 17 << 20, "{}", house.budget.peak());
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_plain_request_over_the_limit_hears_so() {
    let house = House::with(|limits| limits.request = 1 << 20);
    let body = vec![b' '; 5 << 20];
    let answer = ask(house.http, "POST /v1/traces", "content-type: application/json\r\n", &body);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let status = call(house.grpc, Signal::Traces.method(), None, body).expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn who_asks_whether_to_send_too_much_is_told_no() {
    let house = House::with(|limits| limits.request = 1 << 20);
    let mut stream = connect(house.http);
    let head = "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                expect: 100-continue\r\ncontent-length: 9999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"HTTP/1.1 413");
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn requests_that_wait_for_their_body_are_in_the_budget() {
    let house = House::with(|limits| {
        limits.bodies = Arc::new(Budget::new(400_000));
        limits.stalled_after = Duration::from_mins(1);
    });
    let json = "content-type: application/json\r\n";
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: a\r\n{json}content-length: 2\r\n\r\n");
    let mut waiting: Vec<_> = (0..48).map(|_| connect(house.http)).collect();
    waiting.iter_mut().for_each(|stream| stream.write_all(head.as_bytes()).expect("it reads"));
    house.wait_for_bytes(48 << 13);
    let answer = ask(house.http, "POST /v1/traces", json, b"{}");
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    drop(waiting);
    house.book.wait(Outcome::CutShort, 48);
    assert!(ask(house.http, "POST /v1/traces", json, b"{}").starts_with("HTTP/1.1 200 "));
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_full_budget_is_a_matter_of_time() {
    let house = House::with(|limits| {
        limits.bodies = Arc::new(Budget::new(2_400_000));
        limits.stalled_after = Duration::from_mins(1);
    });
    let json = "content-type: application/json\r\n";
    // Somebody else holds most of it.
    let mut slow = connect(house.http);
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: a\r\n{json}content-length: 1100001\r\n\r\n");
    slow.write_all(head.as_bytes()).expect("it reads");
    slow.write_all(&vec![b' '; 1_100_000]).expect("it reads");
    house.wait_for_bytes(1_100_000);
    let answer = ask(house.http, "POST /v1/traces", json, &vec![b' '; 1_200_000]);
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 1"), "{answer}");
    let status = call(house.grpc, Signal::Traces.method(), None, vec![0; 1_200_000]).expect_err("full");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(String::from_utf8_lossy(status.details()).contains("RetryInfo"));
    drop(slow);
    house.book.wait(Outcome::CutShort, 1);
    assert!(ask(house.http, "POST /v1/traces", json, &vec![b' '; 1_200_000]).starts_with("HTTP/1.1 200 "));
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_slow_client_does_not_stay() {
    let house = House::with(|limits| limits.timeout = Duration::from_millis(200));
    // Nothing at all, half a preface, half a head.
    for start in [&b""[..], b"PRI * HT", b"POST /v1/traces HTTP/1.1\r\nhost: a\r\n"] {
        let mut stream = connect(house.both);
        stream.write_all(start).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it is closed");
    }
    house.book.wait(Outcome::TimedOut, 3);
    // Half a body.
    let mut stream = connect(house.http);
    let head = b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it is closed");
    assert!(answer.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn garbage_and_tls_are_told_and_cost_nothing() {
    let house = House::open();
    for port in [house.grpc, house.http, house.both] {
        assert_eq!(say(port, b"\x00\x01\x02\x03"), "");
        assert!(say(port, b"\x16\x03\x01\x02\x00\x01").contains("no TLS here"));
        say(port, b"HELO example.com\r\n\r\n");
    }
    house.book.wait(Outcome::NotHttp, 6);
    house.book.wait(Outcome::TlsOnPlainPort, 3);
    assert_eq!(house.budget.peak(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_port_in_use_is_named_with_the_way_out() {
    let house = House::open();
    let ports = Ports { grpc: Some(house.grpc), ..Ports::default() };
    let limits = ReceiverLimits::new(Arc::new(Budget::new(1)), 1 << 20);
    let error = Receiver::open(&ports, Arc::new(Book::default()), limits).err().expect("in use").to_string();
    assert!(error.contains(&house.grpc.to_string()) && error.contains("--grpc 127.0.0.1:0"), "{error}");
    assert!(error.contains(&format!("stop process {}", std::process::id())), "{error}");
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn closing_loses_nothing_that_was_answered() {
    let house = House::open();
    let (http, book) = (house.http, Arc::clone(&house.book));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut answered = 0;
                while let Ok(mut stream) = std::net::TcpStream::connect(http) {
                    let request = b"POST /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                                    content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                    let mut answer = Vec::new();
                    let _ = stream.write_all(request).and_then(|()| stream.read_to_end(&mut answer));
                    answered += usize::from(answer.starts_with(b"HTTP/1.1 200 "));
                }
                answered
            })
        })
        .collect();
    book.wait(Outcome::Accepted, 200);
    house.receiver.close(Duration::from_secs(5));
    let taken = book.told().taken.len();
    let answered: usize = clients.into_iter().map(|client| client.join().expect("no panic")).sum();
    assert!(answered >= 200 && answered <= taken, "{answered} answered, {taken} taken");
    assert_eq!(book.told().taken.len(), taken, "none is taken after the close");
}
