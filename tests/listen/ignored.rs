//! What is ignored, while it listens.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::control::report_when;
use super::listener::Listener;
use super::replay::{case, requests};

const ENTRY: &str = r#"
[[ignore]]
slug = "propagator-mismatch"
task = "process_order"
reason = "the old worker goes in May"
"#;

/// A listener that ignores the mismatch of `process_order`, and the file of its events.
fn start(folder: &Path) -> (Listener, PathBuf) {
    let (config, events) = (folder.join("tracelink.toml"), folder.join("events.jsonl"));
    std::fs::write(&config, ENTRY).expect("the folder is ours");
    let output = format!("jsonl={}", events.display());
    let config = config.to_str().expect("UTF-8");
    let args =
        ["--control", "0", "--settle", "200ms", "--format", "json", "--config", config, "--output", &output];
    (Listener::start(&args), events)
}

fn broken() -> Vec<String> {
    requests(&case("propagator_api_b3multi_worker_w3c"))
}

/// The findings that were told so far.
fn told(events: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(events).expect("it is there");
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    events.filter(|event| event["event"] == "finding" || event["event"] == "resolved").collect()
}

#[test]
fn an_ignored_finding_is_no_alarm() {
    let folder = tempfile::tempdir().expect("a folder");
    let (listener, events) = start(folder.path());
    listener.send_json(&broken());
    let report = report_when(listener.control, |report| report["ignored"][0]["code"] == "TL301");
    assert_eq!(report["verdict"]["status"], "unproven", "{report}");
    // Some rounds more in which it could be told.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(told(&events), [] as [Value; 0]);
    let ended = listener.end();
    assert_eq!((ended.code, &ended.report()["ignored"][0]["code"]), (Some(0), &"TL301".into()));
    assert_eq!(told(&events), [] as [Value; 0], "nor is it taken back at the end");
}

#[test]
fn an_ignored_finding_that_reaches_another_task_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (listener, events) = start(folder.path());
    listener.send_json(&broken());
    let report = report_when(listener.control, |report| report["ignored"][0]["code"] == "TL301");

    // The same again, of another task.
    let new_id = |id: &Value| {
        let id = id.as_str().expect("an id");
        (id.to_owned(), id.chars().rev().map(|letter| if letter == '-' { '0' } else { letter }).collect())
    };
    let traces = report["traces"].as_array().expect("a list").iter().map(|trace| new_id(&trace["trace_id"]));
    let mut renamed: Vec<(String, String)> = traces.collect();
    renamed.push(new_id(&report["handoffs"][0]["task_id"]));
    renamed.push(("process_order".to_owned(), "send_invoice".to_owned()));
    let others = broken()
        .into_iter()
        .map(|request| renamed.iter().fold(request, |request, (from, to)| request.replace(from, to)));
    listener.send_json(&others.collect::<Vec<_>>());
    let report = report_when(listener.control, |report| report["inputs"]["handoffs"] == 2);
    assert_eq!(report["inputs"]["traces"], 4, "{report}");
    report_when(listener.control, |report| report["verdict"]["code"] == "TL301");

    let deadline = Instant::now() + Duration::from_secs(10);
    while told(&events).is_empty() {
        assert!(Instant::now() < deadline, "it is never told");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500));
    let ended = listener.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let told = told(&events);
    assert_eq!(told.len(), 1, "once: {told:?}");
    let tasks = told[0]["finding"]["tasks"].as_array().expect("a list");
    assert!(tasks.contains(&"send_invoice".into()), "{told:?}");
}
