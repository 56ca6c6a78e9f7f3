//! Whom the page answers, with which headers, and what a client may ask of it.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::listener::Listener;
use super::live::{BROKEN, requests};
use super::stream::Stream;
use super::support::asking::{Answer, asked, get, sent};

const PATHS: [&str; 7] =
    ["/", "/assets/app.css", "/assets/app.js", "/details", "/report.html", "/report.json", "/nowhere"];

fn is_guarded(answer: &Answer, what: &str) {
    let head = &answer.head;
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{what}: {head}"));
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split("; ").any(|said| said == part), "{what}: {part} is not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{what}: {head}");
    }
    assert!(!head.contains("access-control-") && !head.contains("set-cookie"), "{what}: {head}");
}

#[test]
fn each_answer_says_that_nothing_else_is_run_or_loaded() {
    let listener = Listener::start(&["--web", "0"]);
    for path in PATHS {
        is_guarded(&get(listener.web, path), path);
        let head = asked(listener.web, "HEAD", path, &[]);
        is_guarded(&head, path);
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.status, get(listener.web, path).status, "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            let refused = asked(listener.web, method, path, &["Content-Length: 0"]);
            assert_eq!(
                (refused.status, refused.header("allow")),
                (405, Some("get, head")),
                "{method} {path}"
            );
            is_guarded(&refused, path);
        }
    }
    let head = asked(listener.web, "HEAD", "/events", &[]);
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(get(listener.web, "/favicon.ico").status, 204);
    listener.end();
}

#[test]
fn files_of_the_page_are_loaded_once() {
    let listener = Listener::start(&["--web", "0"]);
    for path in ["/assets/app.css", "/assets/app.js"] {
        let first = get(listener.web, path);
        let tag = first.header("etag").unwrap_or_else(|| panic!("{}", first.head)).to_owned();
        assert!(!first.body.is_empty() && first.header("cache-control") == Some("no-cache"));
        let again = asked(listener.web, "GET", path, &[&format!("If-None-Match: {tag}")]);
        assert_eq!((again.status, &*again.body), (304, ""), "{path}");
        let other = asked(listener.web, "GET", path, &["If-None-Match: \"other\""]);
        assert_eq!(other.status, 200, "{path}");
    }
    assert_eq!(get(listener.web, "/").header("cache-control"), Some("no-store"));
    listener.end();
}

#[test]
fn a_page_of_another_site_reads_nothing() {
    let listener = Listener::start(&["--web", "0"]);
    let port = listener.web;
    let own = format!("Origin: http://127.0.0.1:{port}");
    let frame = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"];
    let script = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"];
    for foreign in [
        &["Host: evil.example"][..],
        &["Host: localhost.evil.example"],
        &["Host: localhost", "Host: evil.example"],
        &["Host: 192.168.0.1"],
        &["Origin: http://evil.example"],
        &["Origin: http://localhost:3000"],
        &["Origin: null"],
        &[&*own, "Origin: http://evil.example"],
        &frame,
        &script,
    ] {
        for path in PATHS.into_iter().chain(["/events"]) {
            let answer = asked(port, "GET", path, foreign);
            assert_eq!(answer.status, 403, "{foreign:?} {path}");
            assert!(!answer.body.is_empty() && !answer.body.contains("tracelink/1"), "{path}");
            is_guarded(&answer, path);
        }
    }
    assert_eq!(sent(port, b"GET / HTTP/1.0\r\n\r\n").status, 403, "no host at all");
    assert_eq!(asked(port, "GET", "/", &[&own]).status, 200);
    let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    assert_eq!(asked(port, "GET", "/", &link).status, 200, "a link in a ticket leads here");
    let rebound = [&link[..], &["Host: evil.example"]].concat();
    let refused = asked(port, "GET", "/", &rebound);
    assert!(refused.status == 403 && refused.body.contains("<html"), "{}", refused.body);
    listener.end();
}

#[test]
fn clients_that_are_silent_slow_or_many_keep_no_page_waiting() {
    let listener = Listener::start(&["--web", "0"]);
    let port = listener.web;
    listener.send_json(&requests(BROKEN));
    let before = listener.memory("VmHWM").expect("it runs");
    // A hundred say nothing, or begin a head and stop.
    let silent: Vec<_> = (0..100)
        .map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            if number % 2 == 0 {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: loc").expect("it listens");
            }
            stream
        })
        .collect();
    let began = Instant::now();
    assert_eq!(get(port, "/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    drop(silent);

    let huge = format!("X: {}", "x".repeat(1 << 20));
    assert_eq!(asked(port, "GET", "/", &[&huge]).status, 431);
    let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 100 << 20);
    assert_eq!(sent(port, &[head.into_bytes(), vec![b'x'; 64 << 10]].concat()).status, 413);
    for target in ["//evil.example/", "/passage/99999999999999999999", "/passage/-1", "/finding/%ff", "/%00"]
    {
        assert_eq!(get(port, target).status, 404, "{target}");
    }

    // As many pages as are kept up to date: the next one is told so, and can be read.
    let mut pages: Vec<_> = (0..16).map(|_| Stream::open(port, "/events", &[])).collect();
    pages.iter_mut().for_each(Stream::until_numbered);
    assert_eq!(get(port, "/events").status, 503);
    assert_eq!(get(port, "/").status, 200);
    drop(pages);
    let deadline = Instant::now() + Duration::from_secs(10);
    while asked(port, "HEAD", "/events", &[]).status != 200 {
        assert!(Instant::now() < deadline, "the pages that went still count");
        std::thread::sleep(Duration::from_millis(20));
    }
    let more = listener.memory("VmHWM").expect("it runs").saturating_sub(before);
    assert!(more < 24 << 20, "{more} bytes");
    listener.end();
}

#[test]
fn what_others_can_reach_is_said_aloud() {
    for (option, what) in [("--web", "reads the page"), ("--control", "can end the session")] {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(["listen", "--grpc", "0", "--http", "0", "--for", "100ms", option, "0.0.0.0:0"])
            .output()
            .expect("tracelink runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("open to other machines") && said.contains(what), "{said}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--grpc", "0", "--http", "0", "--for", "100ms", "--web", "0"])
        .output()
        .expect("tracelink runs");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("other machines"));
}
