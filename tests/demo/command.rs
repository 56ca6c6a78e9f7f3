//! The demo as a person runs it: the binary, a signal, a pipe that closes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn demo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(["demo", "--pace", "0.1"]).args(args);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The processes of the demo that this one started, and theirs.
fn descendants(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    let below = children.iter().flat_map(|child| descendants(*child)).collect::<Vec<_>>();
    [children, below].concat()
}

fn is_there(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

/// Reads lines until one holds `wanted`.
fn read_until(child: &mut Child, wanted: &str) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert!(out.read_line(&mut line).expect("UTF-8") > 0, "it never said `{wanted}`");
    }
    out
}

#[test]
fn a_healthy_order_is_shown_whole_with_its_message_in_the_queue() {
    let output = demo(&[]).output().expect("tracelink runs");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}{}", text(&output.stderr));
    for part in ["process_order", "celery[0]", "run/process_order", "in the queue", "try next"] {
        assert!(out.contains(part), "`{part}` is missing: {out}");
    }
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_fault_is_named_in_every_format() {
    let output = demo(&["--fault", "propagator-mismatch"]).output().expect("tracelink runs");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("TL301") && out.contains("✓ named"), "{out}");
    let output = demo(&["--fault", "propagator-mismatch", "--format", "json"]).output().expect("it runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["verdict"]["slug"], "propagator-mismatch");
}

#[test]
fn several_faults_are_a_table() {
    let faults = ["--fault", "empty-carrier", "--fault", "healthy-links", "--format", "json"];
    let output = demo(&faults).output().expect("tracelink runs");
    let table: Value = serde_json::from_slice(&output.stdout).expect("a table");
    assert_eq!(output.status.code(), Some(0), "{table:#}");
    assert_eq!((table["schema"].as_str(), table["right"].as_u64()), (Some("tracelink-demo/1"), Some(2)));
}

#[test]
fn an_unknown_fault_is_an_error_with_the_remedy() {
    let output = demo(&["--fault", "gremlins"]).output().expect("tracelink runs");
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("--list-faults"));
}

#[test]
fn ctrl_c_leaves_no_process_behind() {
    let mut command = demo(&["--keep"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tracelink runs");
    let mut out = read_until(&mut child, "ended: SUCCESS");
    let processes = descendants(child.id());
    assert!(processes.len() >= 3, "a broker, an API and a worker: {processes:?}");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    rustix::process::kill_process(pid.expect("not zero"), rustix::process::Signal::INT).expect("it runs");
    out.read_to_string(&mut String::new()).expect("UTF-8");
    let mut error = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut error).expect("UTF-8");
    assert_eq!((child.wait().expect("it ends").code(), error.as_str()), (Some(130), ""));
    assert!(processes.iter().all(|process| !is_there(*process)), "{processes:?}");
}

#[test]
fn a_pipe_that_closes_ends_it_and_its_processes() {
    let mut child = demo(&["--keep"]).stdout(Stdio::piped()).spawn().expect("tracelink runs");
    let out = read_until(&mut child, "api ");
    let processes = descendants(child.id());
    drop(out);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "a closed pipe is no error");
    assert!(processes.iter().all(|process| !is_there(*process)), "{processes:?}");
}
