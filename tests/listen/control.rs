//! `--control`: a script that asks how the session is, reads its report and ends it, and
//! whoever else may send requests there.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::listener::Listener;
use super::replay::{case, requests};
use super::support::asking::{asked, get, sent};

/// Waits until the report as of now says so.
pub fn report_when(port: u16, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let report = get(port, "/report").json();
        if is_so(&report) {
            return report;
        }
        assert!(Instant::now() < deadline, "{report}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";

#[test]
fn a_script_waits_reads_the_report_and_ends_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready.json");
    let name = ready.to_str().expect("UTF-8");
    let listener = Listener::start(&["--control", ":0", "--settle", "300ms", "--ready-file", name]);
    let port = listener.control;

    let health = get(port, "/health");
    assert_eq!(health.status, 200, "{}", health.body);
    let health = health.json();
    assert_eq!(health["status"], "listening");
    assert_eq!(health["http"], format!("127.0.0.1:{}", listener.http));
    assert_eq!(health["control"], format!("127.0.0.1:{port}"));

    listener.send_json(&requests(&case(BROKEN)));
    let report = report_when(port, |report| report["verdict"]["status"] == "broken");
    assert_eq!((&report["verdict"]["code"], &report["live"]), (&"TL301".into(), &true.into()));
    let ready: Value = serde_json::from_slice(&std::fs::read(&ready).expect("it is ready")).expect("JSON");
    assert_eq!(ready["control"], health["control"]);

    let stop = asked(port, "POST", "/stop", &["Content-Length: 0"]);
    assert_eq!((stop.status, &stop.json()["status"]), (202, &"ending".into()));
    let ended = listener.wait();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let last = ended.report();
    assert_eq!(last["verdict"]["code"], "TL301");
    assert_eq!(last.get("live"), None, "the last report is no report as of now");
    assert_eq!(last["findings"], report["findings"]);
}

/// What may be on its way is not said to be absent, and what is expected by the end is
/// not missed before.
#[test]
fn a_report_as_of_now_judges_nothing_that_has_not_settled() {
    let args = ["--control", "0", "--settle", "1h", "--expect-handoffs", "9"];
    let listener = Listener::start(&args);
    let empty = get(listener.control, "/report").json();
    assert_eq!(empty["verdict"]["status"], "no-evidence");
    assert_eq!(empty["findings"].as_array().map(Vec::len), Some(0), "nothing is missed yet: {empty}");
    listener.send_json(&requests(&case(BROKEN)));
    let report = get(listener.control, "/report").json();
    assert_eq!(report["verdict"]["status"], "unproven", "{report}");
    assert_eq!(report["verdict"]["unproven"][0]["reason"], "not-settled", "{report}");
    asked(listener.control, "POST", "/stop", &[]);
    let ended = listener.wait();
    assert_eq!((ended.code, &ended.report()["findings"][0]["code"]), (Some(1), &"TL904".into()));
}

#[test]
fn the_report_comes_in_every_format() {
    let listener = Listener::start(&["--control", "0", "--settle", "200ms"]);
    listener.send_json(&requests(&case(BROKEN)));
    report_when(listener.control, |report| report["verdict"]["status"] == "broken");
    let formats = [
        ("human", "text/plain", "so far"),
        ("json", "application/json", "\"live\": true"),
        ("jsonl", "application/x-ndjson", "\"live\":true"),
        ("markdown", "text/markdown", "so far"),
        ("junit", "application/xml", "TL301"),
        ("sarif", "application/sarif+json", "\"live\": true"),
        ("github", "text/plain", "so far"),
    ];
    for (format, media_type, says) in formats {
        let answer = get(listener.control, &format!("/report?format={format}"));
        assert_eq!(answer.status, 200, "{format}");
        assert!(answer.head.contains(&format!("content-type: {media_type}")), "{}", answer.head);
        assert!(answer.body.contains(says) && answer.body.contains("TL301"), "{format}: {}", answer.body);
        assert!(!answer.body.contains('\u{1b}'), "{format} has no colour");
    }
    let unknown = get(listener.control, "/report?format=pdf");
    assert_eq!(unknown.status, 400);
    assert!(formats.iter().all(|(format, ..)| unknown.error().contains(format)), "{}", unknown.body);
    listener.end();
}

#[test]
fn a_wrapped_command_is_told_to_end_as_by_a_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready.json");
    let process = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--control", "0", "--settle", "200ms", "--format", "json", "--ready-file"])
        .arg(&ready)
        .args(["--", "sh", "-c", "trap 'echo told >&2; exit 0' TERM; while :; do sleep 0.05; done"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("tracelink runs");
    let deadline = Instant::now() + Duration::from_secs(10);
    let port = loop {
        let text = std::fs::read_to_string(&ready).unwrap_or_default();
        let port = serde_json::from_str::<Value>(&text).ok();
        let address = port.as_ref().and_then(|ready| ready["control"].as_str());
        if let Some(port) = address.and_then(|at| at.rsplit(':').next()?.parse().ok()) {
            break port;
        }
        assert!(Instant::now() < deadline, "it is never ready");
        std::thread::sleep(Duration::from_millis(20));
    };
    // Long enough for the shell to set its trap.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(asked(port, "POST", "/stop", &[]).status, 202);
    let output = process.wait_with_output().expect("it ends");
    assert!(String::from_utf8_lossy(&output.stderr).contains("told"), "the command was told");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!((output.status.code(), &report["verdict"]["status"]), (Some(3), &"no-evidence".into()));
}

#[test]
fn what_is_asked_in_a_wrong_way_is_told_the_right_one() {
    let listener = Listener::start(&["--control", "0"]);
    let port = listener.control;
    let stop = get(port, "/stop");
    assert_eq!(stop.status, 405);
    assert!(stop.head.contains("allow: post"), "{}", stop.head);
    assert_eq!(asked(port, "DELETE", "/report", &[]).status, 405);
    assert_eq!(asked(port, "OPTIONS", "/stop", &[]).status, 405);
    let lost = get(port, "/../etc/passwd");
    assert!(lost.status == 404 && lost.error().contains("/health"), "{}", lost.body);
    assert_eq!(get(port, "/report?fmt=json").status, 400);
    let head = asked(port, "HEAD", "/health", &[]);
    assert_eq!((head.status, &*head.body), (200, ""));
    // None of that ended it.
    assert_eq!(get(port, "/health").status, 200);
    listener.end();
}

#[test]
fn a_page_of_another_site_reads_nothing_and_ends_nothing() {
    let listener = Listener::start(&["--control", "0"]);
    let port = listener.control;
    let own = format!("Origin: http://127.0.0.1:{port}");
    for foreign in [
        &["Host: attacker.example"][..],
        &["Host: localhost.attacker.example"],
        &["Host: localhost", "Host: attacker.example"],
        &["Host: 192.168.0.1"],
        &["Origin: http://attacker.example"],
        &["Origin: http://localhost:3000"],
        &["Origin: null"],
        &[&*own, "Origin: http://attacker.example"],
        &["Sec-Fetch-Site: cross-site"],
    ] {
        for (method, path) in [("GET", "/health"), ("GET", "/report"), ("POST", "/stop")] {
            let answer = asked(port, method, path, foreign);
            assert_eq!(answer.status, 403, "{foreign:?} {path}");
            assert!(
                !answer.error().is_empty() && !answer.head.contains("access-control-"),
                "{}",
                answer.head
            );
        }
    }
    assert_eq!(sent(port, b"GET /health HTTP/1.0\r\n\r\n").status, 403, "no host at all");
    assert_eq!(asked(port, "GET", "/health", &[&own]).status, 200);
    assert_eq!(asked(port, "GET", "/health", &["Host: localhost"]).status, 200);
    listener.end();
}

#[test]
fn what_is_too_large_or_no_http_is_refused() {
    let listener = Listener::start(&["--control", "0"]);
    let port = listener.control;
    let before = listener.memory("VmHWM").expect("it runs");
    let huge = format!("X: {}", "x".repeat(1 << 20));
    assert_eq!(asked(port, "GET", "/health", &[&huge]).status, 431);
    let many: Vec<_> = (0..1000).map(|number| format!("X-{number}: x")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(asked(port, "GET", "/health", &many).status, 431);
    let line = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(1 << 20));
    assert!(matches!(sent(port, line.as_bytes()).status, 414 | 431));

    let head = format!("POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 100 << 20);
    let body = [head.into_bytes(), vec![b'x'; 64 << 10]].concat();
    assert_eq!(sent(port, &body).status, 413);
    let chunks = "POST /stop HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
        + "1000\r\n"
        + &"x".repeat(0x1000)
        + "\r\n1000\r\n"
        + &"x".repeat(0x1000)
        + "\r\n0\r\n\r\n";
    assert_eq!(sent(port, chunks.as_bytes()).status, 413);

    for nonsense in
        [&b"\x16\x03\x01\x02\x00"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\r\n\r\n", b""]
    {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let _ = stream.write_all(nonsense);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{answer:?}");
    }
    // It goes on, and none of that took much.
    assert_eq!(get(port, "/health").status, 200);
    let more = listener.memory("VmHWM").expect("it runs").saturating_sub(before);
    assert!(more < 16 << 20, "{more} bytes");
    listener.end();
}

#[test]
fn clients_that_are_slow_or_many_keep_no_script_waiting() {
    const CLIENTS: usize = 200;
    let listener = Listener::start(&["--control", "0"]);
    let port = listener.control;
    // They say nothing, or begin a head and stop.
    let silent: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            if number % 2 == 0 {
                stream.write_all(b"GET /health HTTP/1.1\r\nHost: loc").expect("it listens");
            }
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(get(port, "/health").status, 200);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(silent);

    // A body that drips is not waited for, and ends nothing.
    let mut drip = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    drip.write_all(b"POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
        .expect("it listens");
    assert_eq!(get(port, "/health").status, 200);

    // Two hundred scripts at once are all answered.
    let scripts: Vec<_> =
        (0..CLIENTS).map(|_| std::thread::spawn(move || get(port, "/report").status)).collect();
    let statuses: Vec<_> = scripts.into_iter().map(|script| script.join().expect("no panic")).collect();
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // The spans of an application come in beside all that.
    listener.send_json(&requests(&case("healthy_auto")));
    let report = report_when(port, |report| report["inputs"]["spans"] == 10);
    assert_eq!(report["live"], true);
    listener.end();
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--grpc", "0", "--http", "0", "--control", &address])
        .output()
        .expect("tracelink runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.contains(&address) && error.contains("--control"), "{error}");
}
