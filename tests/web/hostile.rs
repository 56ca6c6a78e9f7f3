//! Names that mean harm, in each place where a page shows one; and a page that is slow to
//! read.

#![allow(clippy::disallowed_methods, reason = "a test waits for something, and not for ever")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use super::listener::Listener;
use super::live::{BROKEN, requests};
use super::stream::Stream;
use super::support::asking::get;

/// What would be a tag, an attribute, a script, an event or a command to a terminal.
const HOSTILE: &str = "'\"><evil-tag evil=1 onload=evil()></script><script src=//evil.example></script>\
    <img src=x onerror=evil()><!--evil-->&#x3c;\u{1b}[2J\u{202e}\r\n\r\nevent: end\r\ndata: 1\r\n\r\n";

/// The requests of a capture, with that behind each name in them.
fn hostile_requests() -> Vec<String> {
    let quoted = serde_json::to_string(HOSTILE).expect("text is JSON");
    let inside = &quoted[1..quoted.len() - 1];
    let names = ["process_order", "order-api", "order-worker", "POST /orders"];
    requests(BROKEN)
        .into_iter()
        .map(|request| {
            names.iter().fold(request, |request, name| {
                request.replace(&format!("{name}\""), &format!("{name}{inside}\""))
            })
        })
        .collect()
}

/// What a reader of HTML that is not ours complains of in these pages.
fn complaints(pages: &Map<String, Value>) -> String {
    let mut reader = Command::new("python3")
        .arg("tests/python/tame_html.py")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this test needs Python 3");
    let pages = serde_json::to_vec(pages).expect("JSON");
    reader.stdin.take().expect("piped").write_all(&pages).expect("it reads");
    let output = reader.wait_with_output().expect("it ends");
    assert!(output.status.success(), "it reads no page");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The numbers of the passages that a page lists.
fn passages(page: &str) -> Vec<String> {
    let parts = page.split("id=\"entry-").skip(1);
    parts.filter_map(|part| part.split_once('"')).map(|(number, _)| number.to_owned()).collect()
}

/// The page and everything that it asks for.
fn all_of(port: u16) -> Map<String, Value> {
    let page = get(port, "/").body;
    let mut paths = vec!["/details".to_owned()];
    paths.extend(passages(&page).into_iter().map(|number| format!("/passage/{number}")));
    assert!(paths.len() > 1, "no passage came: {page}");
    let mut pages = Map::new();
    for path in paths {
        let answer = get(port, &path);
        assert_eq!(answer.status, 200, "{path}");
        pages.insert(path, answer.body.into());
    }
    pages.insert("/".to_owned(), page.into());
    pages
}

#[test]
fn hostile_names_are_text_wherever_the_page_shows_them() {
    let listener = Listener::start(&["--web", "0", "--settle", "300ms"]);
    let mut stream = Stream::open(listener.web, "/events", &[]);
    listener.send_json(&hostile_requests());
    let events = stream.until(|event| event.name == "finding" && event.data.contains("TL301"));
    assert!(events.iter().all(|event| event.name != "end"), "an event came from outside");
    let mut pages = all_of(listener.web);
    let told: String = events.iter().map(|event| event.data.clone() + "\n").collect();
    pages.insert("/events".to_owned(), told.into());
    let page = pages["/"].as_str().expect("text");
    assert!(page.contains("TL301") && page.contains("evil-tag"), "it shows the name: {page}");
    assert_eq!(complaints(&pages), "");
    listener.end();
}

#[test]
fn hostile_names_of_files_are_text_too() {
    let folder = tempfile::tempdir().expect("a folder");
    // A name of a file has no slash.
    let file = folder.path().join(HOSTILE.replace('/', "\u{2044}") + ".jsonl");
    std::fs::write(&file, hostile_requests().join("\n")).expect("the folder is ours");
    let mut page = super::commands::Page::start(&["diagnose", "--web", "0", file.to_str().expect("UTF-8")]);
    let port = page.port;
    let mut stream = Stream::open(port, "/events", &[]);
    stream.until(|event| event.name == "end");
    let pages = all_of(port);
    assert!(pages["/"].as_str().is_some_and(|page| page.contains("evil-tag")));
    assert_eq!(complaints(&pages), "");
    page.interrupt();
}

/// Of a page that reads nothing the kernel holds something, and tracelink what one text has.
#[test]
fn a_page_that_is_slow_to_read_costs_nothing_and_misses_nothing() {
    const BATCHES: usize = 25;
    const TRACES: usize = 80;
    let listener = Listener::start(&["--web", "0", "--settle", "50ms", "--max-memory", "64MiB"]);
    let mut slow =
        BufReader::new(std::net::TcpStream::connect(("127.0.0.1", listener.web)).expect("it listens"));
    let head = format!("GET /events HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n\r\n", listener.web);
    slow.get_mut().write_all(head.as_bytes()).expect("it reads");
    let before = listener.memory("VmRSS").expect("it runs");
    let mut other = Stream::open(listener.web, "/events", &[]);
    let mut last = String::new();
    for batch in 0..BATCHES {
        // More than a round shows would not be shown.
        listener.send_json(&[traces(batch * TRACES, TRACES)]);
        last = format!("GET /{}<", (batch + 1) * TRACES - 1);
        other.until(|event| event.name == "passage" && event.data.contains(&last));
    }
    let more = listener.memory("VmHWM").expect("it runs").saturating_sub(before);
    assert!(more < 70 << 20, "{more} bytes");

    // It reads on, and knows the last trace, or that it must load anew.
    slow.get_ref().set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("a time");
    let is_told = |line: &str| line.starts_with("event: reload") || line.contains(&last);
    let told = slow.lines().map_while(Result::ok).find(|line| is_told(line));
    assert!(told.is_some(), "it was forgotten");
    listener.end();
}

/// So many traces of one span each.
fn traces(from: usize, count: usize) -> String {
    let spans: Vec<_> = (from..from + count)
        .map(|number| {
            serde_json::json!({
                "traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1),
                "name": format!("GET /{number}"), "kind": 2,
                "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000050000000",
            })
        })
        .collect();
    let service = serde_json::json!([{"key": "service.name", "value": {"stringValue": "web"}}]);
    serde_json::json!({"resourceSpans": [{"resource": {"attributes": service},
        "scopeSpans": [{"spans": spans}]}]})
    .to_string()
}
