//! How it ends: by a signal, by time, by silence, and by what it was given.

use std::net::TcpListener;
use std::process::Command;

use rustix::process::Signal;

use super::listener::Listener;
use super::replay::{case, requests};

#[test]
fn a_signal_ends_it_with_the_report_and_the_verdict() {
    for signal in [Signal::INT, Signal::TERM] {
        let listener = Listener::start(&[]);
        listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
        listener.signal(signal);
        let ended = listener.wait();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert_eq!(ended.report()["verdict"]["slug"], "propagator-mismatch");
    }
}

#[test]
fn what_was_acknowledged_is_in_the_report() {
    let listener = Listener::start(&[]);
    listener.send_json(&requests(&case("healthy_auto")));
    // Not a moment between the last answer and the end.
    listener.signal(Signal::INT);
    let report = listener.wait().report();
    assert_eq!(report["inputs"]["spans"], 10, "{report}");
}

#[test]
fn nothing_received_is_no_evidence_and_says_what_to_check() {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().expect("UTF-8");
    let ended = Listener::start(&["--for", "300ms", "--save", bundle]).wait();
    assert_eq!(ended.code, Some(3));
    let report = ended.report();
    assert_eq!(report["verdict"]["status"], "no-evidence");
    assert_eq!(report["findings"][0]["slug"], "nothing-received");
    let fix = report["findings"][0]["fix"][0].as_str().expect("a fix");
    assert!(fix.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:"), "{fix}");

    let again = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json", bundle])
        .output()
        .expect("tracelink runs");
    assert_eq!(again.status.code(), Some(3));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("a report");
    assert_eq!((&again["verdict"], &again["findings"]), (&report["verdict"], &report["findings"]));
}

#[test]
fn a_port_in_use_is_named_with_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--http", &port, "--grpc", "0"])
        .output()
        .expect("tracelink runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert!(error.contains(&port) && error.contains("--http"), "{error}");
}

#[test]
fn a_stream_of_events_ends_with_the_report() {
    let listener = Listener::start(&["--format", "jsonl", "--settle", "200ms", "--idle", "1s"]);
    listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
    listener.send_json(&requests(&case("healthy_auto")));
    let ended = listener.wait();
    let events: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds.last(), Some(&"report"));
    assert!(kinds.contains(&"trace") && kinds.contains(&"finding"), "{kinds:?}");
    let told = kinds.iter().filter(|kind| **kind == "finding").count();
    let findings = events.last().and_then(|last| last["report"]["findings"].as_array()).map(Vec::len);
    assert_eq!(Some(told), findings, "each cause is told once: {kinds:?}");
}
