//! Several outputs while spans come in.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::listener::Listener;
use super::replay::{case, requests};

/// Waits until a file holds `wanted`, and returns what it holds.
fn wait_for(path: &Path, wanted: &str) -> String {
    const TRIES: usize = 200;
    for _ in 0..TRIES {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.contains(wanted) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{wanted} never came to {}", path.display())
}

#[test]
fn events_are_in_their_file_while_it_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let (events, story) = (folder.path().join("events.jsonl"), folder.path().join("story.txt"));
    fs::write(&events, "of an earlier run\n".repeat(10_000)).expect("writable");
    let outputs = [format!("jsonl={}", events.display()), format!("human={}", story.display())];
    let args = ["--format", "json", "--settle", "200ms", "--output", &outputs[0], "--output", &outputs[1]];
    let listener = Listener::start(&args);
    assert_eq!(fs::read_to_string(&events).expect("it is there"), "", "it began anew");
    listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
    let told = wait_for(&events, "\"event\":\"finding\"");
    assert!(told.contains("TL301") && !told.contains("\"event\":\"report\""), "{told}");
    let told = wait_for(&story, "TL301");
    assert!(!told.contains("exit 1") && !told.contains('\u{1b}'), "{told}");
    let ended = listener.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let events = fs::read_to_string(&events).expect("it is there");
    let last: Value = serde_json::from_str(events.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"], "report");
    assert_eq!(last["report"], ended.report());
    let story = fs::read_to_string(&story).expect("it is there");
    assert!(story.trim_end().ends_with("exit 1"), "{story}");
    assert_eq!(story.matches("TL301]").count(), 1, "a cause is told once: {story}");
}

#[test]
fn a_wrapped_command_keeps_standard_output_beside_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = folder.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--settle", "300ms", "--output", &format!("json={}", report.display()), "--"])
        .args(["sh", "-c", "echo from the command; exit 7"])
        .output()
        .expect("tracelink runs");
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{out}");
    assert!(out.contains("from the command") && out.contains("exit 3"), "{out}");
    let report: Value = serde_json::from_slice(&fs::read(&report).expect("it is there")).expect("JSON");
    assert_eq!(report["verdict"]["status"], "no-evidence");
}
