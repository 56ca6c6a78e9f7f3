//! `--web` of each command: where it says the page is, what the page shows, and when it ends.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::listener::Listener;
use super::live::{BROKEN, HEALTHY, requests};
use super::stream::Stream;
use super::support::asking::{asked, get};

/// A command that serves a page, and says on standard error where.
pub struct Page {
    process: Child,
    pub port: u16,
    stderr: Option<JoinHandle<String>>,
}

impl Page {
    pub fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tracelink"))
            .args(args)
            .env_remove("TRACELINK_BROKER")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracelink runs");
        let mut stderr = BufReader::new(process.stderr.take().expect("piped"));
        let mut said = String::new();
        let port = loop {
            let from = said.len();
            assert_ne!(stderr.read_line(&mut said).expect("UTF-8"), 0, "it says where the page is: {said}");
            if let Some((_, rest)) = said[from..].split_once("http://127.0.0.1:") {
                let port = rest.split('/').next().and_then(|port| port.trim().parse().ok());
                break port.unwrap_or_else(|| panic!("{said}"));
            }
        };
        let stderr = std::thread::spawn(move || {
            let mut rest = String::new();
            stderr.read_to_string(&mut rest).expect("UTF-8");
            rest
        });
        Self { process, port, stderr: Some(stderr) }
    }

    /// Ends it as Ctrl-C does. Returns its exit code.
    pub fn interrupt(&mut self) -> Option<i32> {
        let pid = i32::try_from(self.process.id()).expect("a process id");
        let pid = rustix::process::Pid::from_raw(pid).expect("not zero");
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        self.wait().0
    }

    /// Waits for its end. Returns its exit code, and what it printed.
    pub fn wait(&mut self) -> (Option<i32>, String, String) {
        let mut stdout = String::new();
        self.process.stdout.take().expect("piped").read_to_string(&mut stdout).expect("UTF-8");
        let stderr = self.stderr.take().expect("it is waited for once").join().expect("read");
        (self.process.wait().expect("it ends").code(), stdout, stderr)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn diagnose_serves_its_report_until_it_is_interrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spans.jsonl");
    std::fs::write(&file, requests(BROKEN).join("\n")).expect("the folder is ours");
    let file = file.to_str().expect("UTF-8");
    let mut page = Page::start(&["diagnose", "--web", "0", "--format", "json", file]);
    let mut stream = Stream::open(page.port, "/events", &[]);
    let events = stream.until(|event| event.name == "end");
    assert!(events.iter().any(|event| event.data.contains("TL301")), "{events:#?}");
    let shown = get(page.port, "/").body;
    assert!(shown.contains("TL301") && shown.contains("process_order"), "{shown}");
    let json = get(page.port, "/report.json");
    assert_eq!(json.header("content-disposition"), Some("attachment; filename=\"tracelink.json\""));
    let report = json.json();
    assert_eq!(report["verdict"]["code"], "TL301");
    let kept = get(page.port, "/report.html");
    assert!(kept.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{}", kept.head);
    assert!(kept.body.contains("TL301") && kept.header("content-disposition").is_some());
    assert_eq!(page.interrupt(), Some(1));
}

/// Of a trace that is longer than a report lists, `?all` draws every span; and of all passages
/// as many as there is room for.
#[test]
fn all_of_the_evidence_can_be_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spans.jsonl");
    let span = |trace: u64, number: u64| {
        format!(
            r#"{{"traceId":"{trace:032x}","spanId":"{:016x}","parentSpanId":"{}","name":"step {number}","startTimeUnixNano":"{}","endTimeUnixNano":"{}"}}"#,
            trace << 32 | number,
            if number == 1 { String::new() } else { format!("{:016x}", trace << 32 | 1) },
            1_700_000_000_000_000_000 + number * 1_000_000,
            1_700_000_000_000_500_000 + number * 1_000_000,
        )
    };
    let spans: Vec<_> =
        (1..=700).map(|number| span(1, number)).chain((2..=4).map(|trace| span(trace, 1))).collect();
    let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","));
    std::fs::write(&file, request).expect("the folder is ours");
    let mut page = Page::start(&["diagnose", "--web", "0", file.to_str().expect("UTF-8")]);
    Stream::open(page.port, "/events", &[]).until(|event| event.name == "end");
    let steps = |address: &str| get(page.port, address).body.matches(">step ").count();
    assert!(steps("/details") < 700, "a report lists fewer");
    assert_eq!(steps("/details?all"), 703);
    let shown = get(page.port, "/?all");
    assert!(shown.status == 200 && shown.body.contains("id=\"everything\""), "{}", shown.head);
    page.interrupt();
}

#[test]
fn a_page_is_there_while_files_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("spans.jsonl");
    let path = pipe.to_str().expect("UTF-8");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let mut page = Page::start(&["diagnose", "--web", "0", path]);
    let mut pipe = std::fs::OpenOptions::new().write(true).open(&pipe).expect("it is read");
    let lines = requests(BROKEN);
    let began = Instant::now();
    let shown = get(page.port, "/");
    let took = began.elapsed();
    assert!(shown.status == 200 && took < Duration::from_secs(1), "{took:?}: {}", shown.head);
    assert_eq!(get(page.port, "/report.json").status, 503);
    let mut stream = Stream::open(page.port, &super::live::events_of(&shown.body), &[]);
    pipe.write_all(lines.join("\n").as_bytes()).expect("it reads");
    drop(pipe);
    stream.until(|event| event.name == "finding" && event.data.contains("TL301"));
    assert_eq!(page.interrupt(), Some(1));
}

#[test]
fn the_demo_shows_its_order_live_and_ends_for_a_script() {
    let fault = ["demo", "--pace", "0.1", "--format", "json", "--web", "0", "--fault", "propagator-mismatch"];
    let mut page = Page::start(&fault);
    let mut stream = Stream::open(page.port, "/events", &[]);
    let events = stream.until(|event| event.name == "end");
    let at = |name: &str| events.iter().position(|event| event.name == name);
    assert!(at("passage").is_some() && at("passage") < at("end"), "{events:#?}");
    assert!(events.iter().any(|event| event.data.contains("TL301")), "{events:#?}");
    drop(stream);
    let (code, stdout, _) = page.wait();
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("a report");
    assert_eq!((code, &report["verdict"]["code"]), (Some(1), &"TL301".into()));
}

#[test]
fn a_page_beside_a_script_that_steers_the_session() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready.json");
    let name = ready.to_str().expect("UTF-8");
    let listener =
        Listener::start(&["--web", "0", "--control", "0", "--settle", "300ms", "--ready-file", name]);
    let health = get(listener.control, "/health").json();
    assert_eq!(health["web"], format!("127.0.0.1:{}", listener.web));
    let ready: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&ready).expect("it is ready")).expect("JSON");
    assert_eq!(ready["web"], health["web"]);
    let mut stream = Stream::open(listener.web, "/events", &[]);
    listener.send_json(&requests(HEALTHY));
    stream.until(|event| event.name == "passage");
    assert_eq!(asked(listener.web, "POST", "/stop", &[]).status, 405);
    assert_eq!(get(listener.web, "/health").status, 404);
    assert_eq!(asked(listener.control, "POST", "/stop", &[]).status, 202);
    stream.until(|event| event.name == "end");
    drop(stream);
    assert_eq!(listener.wait().code, Some(0));
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let corpus = format!("{}/fixtures/corpus/{BROKEN}", env!("CARGO_MANIFEST_DIR"));
    for command in [
        &["listen", "--grpc", "0", "--http", "0", "--web", &address][..],
        &["demo", "--web", &address],
        &["diagnose", "--web", &address, &corpus],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tracelink")).args(command).output().expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{error}");
        assert!(
            error.contains(&format!("{address} is in use")) && error.contains("--web 127.0.0.1:0"),
            "{error}"
        );
        assert!(error.contains(&format!("stop process {}", std::process::id())), "{error}");
    }
}
