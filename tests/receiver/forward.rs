//! What is sent on arrives unchanged, or is counted as lost with the reason.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use serde_json::Value;
use tracelink::evidence::Outcome;
use tracelink::receiver::{Forwarder, Loss, OtlpEncoding, Sent, Signal, Transport};

use super::inbox::House;

const LIMIT: usize = 16 << 20;
const LONG: Duration = Duration::from_secs(20);

fn start(url: &str) -> Forwarder {
    Forwarder::start(url, &[], None, LIMIT).expect("a good URL")
}

fn losses(sent: &Sent) -> Vec<(&Loss, u64)> {
    sent.lost.iter().map(|(why, count)| (why, *count)).collect()
}

/// An endpoint of Python's own HTTP server.
struct Flaky {
    process: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Flaky {
    fn start(args: &[&str]) -> Self {
        let mut process = Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/flaky_endpoint.py"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs python3");
        let mut lines = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("it says its port");
        let port = line.trim().parse().expect("a port");
        Self { process, lines, port }
    }

    /// Ends it, and tells the requests that it saw.
    fn seen(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        self.process.wait().expect("it ends");
        self.lines.lines().map(|line| serde_json::from_str(&line.expect("UTF-8")).expect("JSON")).collect()
    }
}

fn bodies(seen: &[Value]) -> Vec<Vec<u8>> {
    let decode = |text: &Value| base64::prelude::BASE64_STANDARD.decode(text.as_str().expect("text"));
    seen.iter().map(|request| decode(&request["body"]).expect("Base64")).collect()
}

#[test]
fn everything_arrives_over_http_as_it_came() {
    let house = House::open();
    let forwarder = start(&format!("http://{}", house.http));
    let mut offered = Vec::new();
    for signal in Signal::ALL {
        for encoding in [OtlpEncoding::Protobuf, OtlpEncoding::Json] {
            let body = format!("{{\"of\": \"{signal:?} {encoding:?}\"}}").into_bytes();
            forwarder.offer(signal, encoding, &body);
            offered.push((signal, encoding, Transport::Http, body));
        }
    }
    let large = vec![b'7'; 3 << 20];
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, &large);
    offered.push((Signal::Traces, OtlpEncoding::Protobuf, Transport::Http, large));
    let sent = forwarder.close(LONG);
    assert_eq!(sent.to_string(), format!("forwarded 7 requests to http://{}", house.http));
    let mut taken = std::mem::take(&mut house.book.told().taken);
    let key = |taken: &(Signal, OtlpEncoding, Transport, Vec<u8>)| taken.3.clone();
    taken.sort_by_key(key);
    offered.sort_by_key(key);
    assert!(taken == offered, "what arrived is not what was offered");
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn everything_but_json_arrives_over_grpc() {
    let house = House::open();
    let forwarder = start(&format!("grpc://{}", house.grpc));
    let body = vec![7; 3 << 20];
    for signal in Signal::ALL {
        forwarder.offer(signal, OtlpEncoding::Protobuf, &body);
        forwarder.offer(signal, OtlpEncoding::Json, b"{}");
    }
    let sent = forwarder.close(LONG);
    assert_eq!(sent.requests, 3, "{sent}");
    assert_eq!(losses(&sent), [(&Loss::JsonOverGrpc, 3)]);
    let told = house.book.told();
    for signal in Signal::ALL {
        let came = (signal, OtlpEncoding::Protobuf, Transport::Grpc, body.clone());
        assert!(told.taken.contains(&came), "{signal:?}");
    }
    assert!(told.ended.iter().all(|(outcome, _)| *outcome == Outcome::Accepted));
    drop(told);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn an_endpoint_that_says_at_once_each_time_is_given_a_pause() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let forwarder = start(&format!("http://{}", port.local_addr().expect("it listens")));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in port.incoming() {
            let mut stream = stream.expect("a client");
            let lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
            for _end_of_head in lines.map_while(Result::ok).filter(String::is_empty) {
                count.fetch_add(1, Ordering::Relaxed);
                let answer = b"HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
                if stream.write_all(answer).is_err() {
                    break;
                }
            }
        }
    });
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"");
    std::thread::sleep(Duration::from_secs(1));
    let sent = forwarder.close(Duration::ZERO);
    assert_eq!(losses(&sent), [(&Loss::Busy("503".to_owned()), 1)], "{sent}");
    let asked = asked.load(Ordering::Relaxed);
    assert!((2..=7).contains(&asked), "{asked} times in a second");
}

#[test]
fn what_the_endpoint_rejects_or_refuses_is_told() {
    let house = House::open();
    for url in [format!("http://{}", house.http), format!("grpc://{}", house.grpc)] {
        let forwarder = start(&url);
        forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"{\"partly\":1}");
        forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"{\"broken\"");
        let sent = forwarder.close(LONG);
        assert_eq!((sent.requests, sent.rejected), (1, 3), "{sent}");
        let refused = if url.starts_with("grpc") {
            Loss::RefusedGrpc("InvalidArgument".to_owned())
        } else {
            Loss::Refused(400)
        };
        assert_eq!(losses(&sent), [(&refused, 1)], "{sent}");
    }
    // Refused means refused: each was sent once.
    assert_eq!(house.book.told().taken.len(), 4);
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_busy_receiver_is_asked_again_when_it_says() {
    let house = House::open();
    for url in [format!("http://{}", house.http), format!("grpc://{}", house.grpc)] {
        let forwarder = start(&url);
        forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"{\"busy\":1}");
        // It wants to be asked after 1.5 s: twice in this time, and not more often.
        house.book.wait(Outcome::Busy, 1);
        let sent = forwarder.close(Duration::from_millis(2200));
        assert_eq!(sent.requests, 0, "{sent}");
        assert!(matches!(losses(&sent)[..], [(Loss::Busy(_), 1)]), "{sent}");
        assert_eq!(std::mem::take(&mut house.book.told().taken).len(), 2, "{url}");
        house.book.told().ended.clear();
    }
    house.receiver.close(Duration::from_secs(5));
}

#[test]
fn a_refusal_for_now_is_tried_again_and_one_for_good_is_not() {
    let flaky = Flaky::start(&["503,503,200"]);
    let headers = [("x-key".to_owned(), "a b".to_owned())];
    let url = format!("http://user:word@127.0.0.1:{}/otlp/v1/traces", flaky.port);
    let forwarder = Forwarder::start(&url, &headers, None, LIMIT).expect("a good URL");
    forwarder.offer(Signal::Metrics, OtlpEncoding::Json, b"{\"resourceMetrics\": []}");
    let sent = forwarder.close(LONG);
    assert_eq!((sent.requests, sent.losses()), (1, 0), "{sent}");
    assert!(!sent.to_string().contains("word"), "{sent}");
    let seen = flaky.seen();
    assert_eq!(seen.len(), 3);
    for request in &seen {
        assert_eq!(request["path"], "/otlp/v1/metrics");
        assert_eq!(request["headers"]["content-type"], "application/json");
        assert_eq!(request["headers"]["x-key"], "a b");
        assert_eq!(request["headers"]["authorization"], "Basic dXNlcjp3b3Jk");
    }
    assert!(bodies(&seen).iter().all(|body| body == b"{\"resourceMetrics\": []}"));

    let flaky = Flaky::start(&["400"]);
    let forwarder = start(&format!("http://127.0.0.1:{}", flaky.port));
    (0..3).for_each(|_| forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b""));
    let sent = forwarder.close(LONG);
    assert_eq!((sent.requests, losses(&sent)), (0, vec![(&Loss::Refused(400), 3)]));
    assert_eq!(flaky.seen().len(), 3);
}

#[test]
fn retry_after_is_waited_for() {
    let flaky = Flaky::start(&["429,200", "--retry-after", "1"]);
    let forwarder = start(&format!("http://127.0.0.1:{}", flaky.port));
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"spans");
    assert_eq!(forwarder.close(LONG).requests, 1);
    let seen = flaky.seen();
    let at = |place: usize| seen[place]["at"].as_f64().expect("a time");
    assert!(seen.len() == 2 && at(1) - at(0) >= 1.0, "{seen:?}");
}

#[test]
fn where_nobody_listens_all_is_lost_and_nothing_hangs() {
    let port = crate::support::redis::free_port();
    let forwarder = start(&format!("http://127.0.0.1:{port}"));
    (0..10).for_each(|_| forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"spans"));
    let sent = forwarder.close(Duration::from_millis(700));
    assert_eq!((sent.requests, sent.losses()), (0, 10), "{sent}");
    let refused = Loss::Unreachable("connection refused".to_owned());
    assert_eq!(losses(&sent), [(&refused, 4), (&Loss::NotInTime, 6)], "{sent}");
    // After the end there is no one to send.
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"spans");
    assert_eq!(forwarder.close(LONG).losses(), 11);
}

#[test]
fn a_full_queue_loses_what_comes_and_waits_for_nothing() {
    let port = crate::support::redis::free_port();
    let limit = 1 << 20;
    let forwarder =
        Forwarder::start(&format!("http://127.0.0.1:{port}"), &[], None, limit).expect("a good URL");
    let body = vec![7; 100_000];
    (0..30).for_each(|_| forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, &body));
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, &vec![7; 2 << 20]);
    let sent = forwarder.close(Duration::ZERO);
    assert_eq!(sent.losses(), 31, "{sent}");
    assert_eq!(sent.lost[&Loss::QueueFull], 21, "{sent}");
}

#[test]
fn an_endpoint_that_comes_later_still_gets_it() {
    let address: SocketAddr = ([127, 0, 0, 1], crate::support::redis::free_port()).into();
    let forwarder = start(&format!("grpc://{address}"));
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"spans");
    std::thread::sleep(Duration::from_millis(300));
    let house = House::at(address);
    let sent = forwarder.close(LONG);
    assert_eq!((sent.requests, sent.losses()), (1, 0), "{sent}");
    house.receiver.close(Duration::from_secs(5));
}

/// A certificate for 127.0.0.1 with its key in one file, and alone in another.
fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let path = |name: &str| folder.join(name);
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "30", "-subj", "/CN=tracelink test", "-addext", "subjectAltName=IP:127.0.0.1"])
        // A certificate of its own authority is no end's, to a strict reader.
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(path("key.pem"))
        .arg("-out")
        .arg(path("alone.pem"))
        .stderr(Stdio::null())
        .status()
        .expect("this test needs openssl");
    assert!(made.success(), "openssl makes a certificate");
    let read = |name: &str| std::fs::read(path(name)).expect("openssl wrote it");
    std::fs::write(path("both.pem"), [read("alone.pem"), read("key.pem")].concat()).expect("writable");
    (path("both.pem"), path("alone.pem"))
}

#[test]
fn https_is_known_by_its_certificate_and_by_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (both, alone) = certificate(folder.path());
    let flaky = Flaky::start(&["200", "--certificate", both.to_str().expect("UTF-8")]);
    let url = format!("https://127.0.0.1:{}", flaky.port);
    let forwarder = Forwarder::start(&url, &[], Some(&alone), LIMIT).expect("a good certificate");
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"spans");
    assert_eq!(forwarder.close(LONG).to_string(), format!("forwarded 1 request to {url}"));

    let stranger = tempfile::tempdir().expect("a folder");
    let (_, other) = certificate(stranger.path());
    let forwarder = Forwarder::start(&url, &[], Some(&other), LIMIT).expect("a good certificate");
    forwarder.offer(Signal::Traces, OtlpEncoding::Protobuf, b"spans");
    let sent = forwarder.close(Duration::from_millis(700));
    assert!(sent.requests == 0 && sent.to_string().contains("invalid peer certificate"), "{sent}");
    assert_eq!(bodies(&flaky.seen()), [b"spans"]);

    let none = folder.path().join("key.pem");
    let error = Forwarder::start(&url, &[], Some(&none), LIMIT).expect_err("no certificate").to_string();
    assert!(error.contains("key.pem") && error.contains("PEM"), "{error}");
}

#[test]
fn headers_that_would_break_a_request_are_refused() {
    for name in ["content-length", "Content-Type", "two words", ""] {
        let headers = [(name.to_owned(), "1".to_owned())];
        let error = Forwarder::start("http://127.0.0.1:1", &headers, None, LIMIT).expect_err(name);
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    let headers = [("x-key".to_owned(), "secret\r\nhost: a".to_owned())];
    let error =
        Forwarder::start("http://127.0.0.1:1", &headers, None, LIMIT).expect_err("two lines").to_string();
    assert!(error.contains("`x-key`") && !error.contains("secret"), "{error}");
}
