//! The demo as a person runs it: the binary, a signal, a pipe that closes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

fn demo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.arg("demo").args(args);
    if !args.contains(&"--pace") {
        command.args(["--pace", "0.1"]);
    }
    command
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The processes of the demo that this one started, and theirs.
pub fn descendants(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    let below = children.iter().flat_map(|child| descendants(*child)).collect::<Vec<_>>();
    [children, below].concat()
}

pub fn is_there(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

/// Reads lines until one holds `wanted`.
pub fn read_until(child: &mut Child, wanted: &str) -> BufReader<std::process::ChildStdout> {
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
fn a_file_gets_the_report_and_the_terminal_the_story() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let to = |format: &str, name: &str| format!("{format}={}", path(name).display());
    let outputs = [to("json", "report.json"), to("human", "report.txt"), to("json", "faults.json")];
    let output = demo(&["--fault", "propagator-mismatch", "--output", &outputs[0], "--output", &outputs[1]])
        .output()
        .expect("tracelink runs");
    let out = text(&output.stdout);
    assert!(out.contains("✓ named") && out.contains("try next"), "{out}");
    let report: Value =
        serde_json::from_slice(&std::fs::read(path("report.json")).expect("it is there")).expect("a report");
    assert_eq!(report["verdict"]["slug"], "propagator-mismatch");
    let told = std::fs::read_to_string(path("report.txt")).expect("it is there");
    assert!(told.contains("TL301") && !told.contains("try next"), "{told}");
    // A person is told how to call the program from where they stand; a file travels.
    let missing: Vec<_> =
        told.lines().filter(|line| !line.contains("explain") && !out.contains(line)).collect();
    assert!(missing.is_empty(), "{missing:?}: {out}");
    let output = demo(&["--list-faults", "--output", &outputs[2]]).output().expect("tracelink runs");
    assert!(text(&output.stdout).contains("propagator-mismatch"));
    let list: Value =
        serde_json::from_slice(&std::fs::read(path("faults.json")).expect("it is there")).expect("a list");
    assert_eq!(list["schema"], "tracelink-demo/1");
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
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--list-faults"));
    let output = demo(&["--fault", "all", "--keep"]).output().expect("tracelink runs");
    assert_eq!(output.status.code(), Some(2), "one that never ends is not one of many");
    let output = demo(&["--fault", "spans-dropped"]).output().expect("tracelink runs");
    assert!(text(&output.stderr).contains("--app python"), "{}", text(&output.stderr));
}

#[test]
fn a_broker_that_is_not_there_is_an_error_before_anything_starts() {
    let gone = format!("redis://:secret@127.0.0.1:{}/0", crate::support::redis::free_port());
    for fault in ["healthy", "all"] {
        let output = demo(&["--broker", &gone, "--fault", fault]).output().expect("tracelink runs");
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(4), ""), "{said}");
        assert!(said.contains("cannot be reached") && !said.contains("secret"), "{said}");
    }
}

#[test]
fn every_fault_is_explained_whole() {
    for app in ["native", "python"] {
        let output = demo(&["--app", app, "--list-faults"]).output().expect("tracelink runs");
        let out = text(&output.stdout);
        assert!(out.contains("TL301 propagator-mismatch") && !out.contains('…'), "{out}");
        assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
        let output =
            demo(&["--app", app, "--list-faults", "--format", "json"]).output().expect("tracelink runs");
        let list: Value = serde_json::from_slice(&output.stdout).expect("a list");
        let faults = list["faults"].as_array().expect("faults");
        assert!(faults.iter().all(|fault| out.contains(fault["slug"].as_str().expect("a slug"))));
    }
}

#[test]
fn many_orders_end_with_the_figures() {
    let retried = ["--fault", "healthy-retries", "--orders", "6", "--rate", "20"];
    let output = demo(&retried).output().expect("tracelink runs");
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    for part in ["end to end", "in the queue", "retries       6 of 6 tasks", "attempt 3", "6 traces"] {
        assert!(out.contains(part), "`{part}` is missing: {out}");
    }
}

pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    rustix::process::kill_process(pid.expect("not zero"), signal).expect("it runs");
}

#[test]
fn what_is_broken_off_is_not_judged() {
    for (said, by) in [
        ("broker ", rustix::process::Signal::INT),
        ("queue ", rustix::process::Signal::TERM),
        ("takes process_order", rustix::process::Signal::HUP),
    ] {
        let mut command = demo(&["--pace", "20"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("tracelink runs");
        let mut out = read_until(&mut child, said);
        let processes = descendants(child.id());
        signal(&child, by);
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("UTF-8");
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{said}");
        assert!(rest.contains("nothing is judged") && !rest.contains("broken:"), "{said}: {rest}");
        assert!(processes.iter().all(|process| !is_there(*process)), "{said}: {processes:?}");
    }
}

#[test]
fn ctrl_c_leaves_no_process_behind() {
    let mut command = demo(&["--keep"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tracelink runs");
    let mut out = read_until(&mut child, "ended process_order: SUCCESS");
    let processes = descendants(child.id());
    assert!(processes.len() >= 3, "a broker, an API and a worker: {processes:?}");
    signal(&child, rustix::process::Signal::INT);
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

#[test]
fn the_whole_matrix_is_right_as_the_command_judges_it() {
    let output = demo(&["--fault", "all", "--format", "json", "--pace", "0.1"]).output().expect("it runs");
    let table: Value = serde_json::from_slice(&output.stdout).expect("a table");
    let rows = table["rows"].as_array().expect("rows");
    let wrong: Vec<_> = rows.iter().filter(|row| row["right"] != true).collect();
    assert!(wrong.is_empty() && rows.len() > 60, "{wrong:#?}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn many_orders_of_what_publishes_nothing_are_all_answered() {
    let args = ["--fault", "healthy-bad-quantity", "--orders", "12", "--rate", "30"];
    let output = demo(&args).output().expect("it runs");
    let out = text(&output.stdout);
    assert!(out.contains("✓ as it should be") && out.contains("12 traces"), "{out}");
}
