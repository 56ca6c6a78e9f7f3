//! Bytes that no good client sends: broken compression and framing, floods of
//! headers and connections, and an end in the middle of a call.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real server")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tonic::Code;
use tracelink::evidence::Outcome;
use tracelink::receiver::{Ports, Receiver, ReceiverLimits, Signal};

use super::inbox::{Book, House, ask, connect};

/// A gRPC call as bytes: the code and the message of its status.
fn grpc(to: SocketAddr, headers: &[(&str, &str)], body: impl Into<Bytes>) -> (Code, String) {
    let mut request = Request::post(format!("http://{to}{}", Signal::Traces.method()))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let response = client.request(request).await.expect("it answers");
        assert_eq!(response.status(), 200, "gRPC's own status says what is wrong");
        let (parts, body) = response.into_parts();
        let trailers = body.collect().await.expect("a body").trailers().cloned();
        let status =
            trailers.filter(|trailers| trailers.contains_key("grpc-status")).unwrap_or(parts.headers);
        let text = |headers: &HeaderMap, name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        (
            Code::from_bytes(text(&status, "grpc-status").as_bytes()),
            text(&status, "grpc-message").replace("%20", " "),
        )
    })
}

/// A gRPC message with any flag and any announced length.
fn framed(flag: u8, announced: u32, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &announced.to_be_bytes(), message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("short")
}

#[test]
fn broken_framing_is_named() {
    let house = House::open();
    let twice = [framed(0, 1, b"a"), framed(0, 1, b"b")].concat();
    for (headers, body, code, why) in [
        (&[][..], Vec::new(), Code::InvalidArgument, "the call ends before its message"),
        (&[], vec![0, 0, 0], Code::InvalidArgument, "the call ends before its message"),
        (&[], framed(0, 9, b"four"), Code::InvalidArgument, "4 bytes after its prefix"),
        (&[], framed(0, 2, b"four"), Code::InvalidArgument, "4 bytes after its prefix"),
        (&[], twice, Code::InvalidArgument, "one message of 1"),
        (&[], framed(2, 4, b"four"), Code::InvalidArgument, "first byte is 2"),
        (&[], framed(1, 4, b"four"), Code::Internal, "no grpc-encoding says how"),
    ] {
        let (said, message) = grpc(house.grpc, headers, body);
        assert_eq!(said, code, "{message}");
        assert!(message.contains(why), "{message}");
    }
    house.book.wait(Outcome::Malformed, 7);
    // What only announces much holds little, and is told so at once.
    let (code, message) = grpc(house.grpc, &[], framed(0, u32::MAX, b"four"));
    assert_eq!(code, Code::ResourceExhausted, "{message}");
    assert!(house.book.told().taken.is_empty());
    // A request that waits is 8 KiB by itself, and there may be two at a time: one
    // is answered before it is let go.
    assert!(house.budget.peak() < 2 * (8 << 10) + 1000, "{}", house.budget.peak());
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn broken_compression_is_named_over_both_transports() {
    let house = House::open();
    let whole = gzip(&[7; 1000]);
    let cut = &whole[..whole.len() - 6];
    let mut flipped = whole.clone();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    for broken in [&b"no gzip at all"[..], cut, &flipped, &whole[..4]] {
        let headers = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
        let answer = ask(house.http, "POST /v1/traces", headers, broken);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("gzip"), "{answer}");
        let (code, message) =
            grpc(house.grpc, &[("grpc-encoding", "gzip")], framed(1, length(broken), broken));
        assert_eq!(code, Code::InvalidArgument, "{message}");
        assert!(message.contains("gzip"), "{message}");
    }
    house.book.wait(Outcome::Malformed, 8);
    // Two members one after the other are one stream, as gzip's own program reads it.
    let twice = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
    let headers = "content-type: application/json\r\ncontent-encoding: gzip\r\n";
    assert!(ask(house.http, "POST /v1/traces", headers, &twice).starts_with("HTTP/1.1 200 "));
    assert_eq!(house.book.told().taken.pop().expect("taken").3, b"{\"a\":1}");
    // A message that is not compressed, in a call that could be.
    let (code, _) = grpc(house.grpc, &[("grpc-encoding", "gzip")], framed(0, 2, b"as"));
    assert_eq!(code, Code::Ok);
    assert_eq!(house.budget.used(), 0);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn an_unknown_grpc_encoding_is_told_what_is_known() {
    let house = House::open();
    for name in ["snappy", "br", "gzip, gzip"] {
        let (code, message) = grpc(house.grpc, &[("grpc-encoding", name)], framed(1, 4, b"four"));
        assert_eq!(code, Code::Unimplemented, "{message}");
        assert!(message.contains("gzip") && message.contains("zstd"), "{message}");
    }
    house.book.wait(Outcome::UnknownEncoding, 3);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_flood_of_headers_ends_its_connection_and_nothing_else() {
    let house = House::open();
    // A head without end: 16 MB of it.
    for line in [&b"x-flood: 0123456789abcdef\r\n"[..], b"0123456789abcdef0123456789abcdef"] {
        let mut stream = connect(house.http);
        stream.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: a\r\nx-flood: ").expect("it reads");
        let block = line.repeat((64 << 10) / line.len());
        let written = (0..256).take_while(|_| stream.write_all(&block).is_ok()).count();
        assert!(written < 256, "it read it all");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    // A hundred kilobytes of headers over HTTP/2 are over the limit of 32.
    let flood = "f".repeat(100_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refused = runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let request = Request::post(format!("http://{}{}", house.grpc, Signal::Traces.method()))
            .header("content-type", "application/grpc")
            .header("x-flood", &flood)
            .body(Full::new(Bytes::from_static(&[0; 5])))
            .expect("a request");
        client.request(request).await.map(|response| response.status())
    });
    // With it its connection, which no one would drive any more.
    drop(runtime);
    assert!(refused.as_ref().map_or(true, |status| *status == 431), "{refused:?}");
    assert!(house.book.told().taken.is_empty());
    // The others are served as before.
    assert_eq!(grpc(house.grpc, &[], [0; 5].to_vec()).0, Code::Ok);
    let answer = ask(house.http, "POST /v1/traces", "content-type: application/json\r\n", b"{}");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn one_connection_too_many_is_closed_and_the_next_is_welcome_when_one_goes() {
    let house = House::with(|limits| limits.connections = 3);
    let is_closed = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
        match stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    };
    // Each has a request under way, and is in the middle of it.
    let half = b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    let mut held: Vec<TcpStream> = (0..3).map(|_| connect(house.http)).collect();
    held.iter_mut().for_each(|stream| stream.write_all(half).expect("it reads"));
    house.wait_for_bytes(3);
    // The connection slots are those of all ports together.
    assert!(is_closed(&mut connect(house.grpc)));
    house.book.wait(Outcome::Busy, 1);
    held.pop();
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_closed(&mut connect(house.http)) {
        assert!(Instant::now() < deadline, "the place stays taken");
    }
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn clients_that_say_nothing_shut_nobody_out() {
    let json = "content-type: application/json\r\n";
    let half_body = format!("POST /v1/traces HTTP/1.1\r\nhost: a\r\n{json}content-length: 2\r\n\r\n{{");
    for (start, waits) in [
        ("", 300),
        ("PRI * HT", 300),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0", 300),
        ("POST /v1/traces HTTP/1.1\r\nhost: a\r\n", 300),
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 300),
        (&half_body, 1_200),
    ] {
        let house = House::with(|limits| limits.connections = 3);
        let mut held: Vec<TcpStream> = (0..3).map(|_| connect(house.both)).collect();
        held.iter_mut().for_each(|stream| stream.write_all(start.as_bytes()).expect("it reads"));
        std::thread::sleep(Duration::from_millis(waits));
        for _ in 0..5 {
            let answer = ask(house.http, "POST /v1/traces", json, b"{}");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{start:?}: {answer}");
        }
        house.receiver.close(Duration::from_secs(5));
    }
}

#[test]
fn closing_lets_a_grpc_call_end_and_takes_no_other() {
    let house = House::open();
    let (grpc_port, book) = (house.grpc, Arc::clone(&house.book));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    // One connection that stays, as exporters have it.
                    let mut tcp = HttpConnector::new();
                    tcp.set_nodelay(true);
                    let client: Client<_, Full<Bytes>> =
                        Client::builder(TokioExecutor::new()).http2_only(true).build(tcp);
                    let mut answered = 0;
                    loop {
                        let request = Request::post(format!("http://{grpc_port}{}", Signal::Traces.method()))
                            .header("content-type", "application/grpc")
                            .body(Full::new(Bytes::from(framed(0, 60_000, &vec![7; 60_000]))))
                            .expect("a request");
                        let Ok(response) = client.request(request).await else { return answered };
                        let Ok(body) = response.into_body().collect().await else { return answered };
                        let is_taken = body.trailers().is_some_and(|trailers| trailers["grpc-status"] == "0");
                        answered += usize::from(is_taken);
                    }
                })
            })
        })
        .collect();
    house.book.wait(Outcome::Accepted, 200);
    house.receiver.close(Duration::from_secs(5));
    let taken = book.told().taken.len();
    let answered: usize = callers.into_iter().map(|caller| caller.join().expect("no panic")).sum();
    assert!(answered >= 196, "{answered}");
    assert!(taken >= answered, "{taken} taken, {answered} answered as taken");
    assert_eq!(book.told().taken.len(), taken, "none was taken after the end");
}

#[test]
fn a_door_by_itself_names_the_usual_port_of_the_other() {
    let free: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let book = Arc::new(Book::default());
    let limits = || ReceiverLimits::new(Arc::new(tracelink::receiver::Budget::new(1 << 20)), 1 << 20);
    let ports = Ports { grpc: Some(free), ..Ports::default() };
    let receiver = Receiver::open(&ports, Arc::<Book>::clone(&book), limits()).expect("a free port");
    let addresses = receiver.addresses();
    let port = addresses.grpc.expect("open");
    assert!(addresses.http.is_none() && addresses.both.is_none() && port.port() != 0);
    assert_eq!(grpc(port, &[], [0; 5].to_vec()).0, Code::Ok);
    let answer = ask(port, "POST /v1/traces", "content-type: application/json\r\n", b"{}");
    assert!(answer.contains("OTLP/HTTP's own is 4318"), "{answer}");
    receiver.close(Duration::from_secs(5));
}
