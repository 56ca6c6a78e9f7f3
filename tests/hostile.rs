//! Evidence that means harm, or is merely unlucky, as its users meet it: what
//! reaches the terminal, and what it costs.

#![allow(clippy::disallowed_methods, reason = "a test measures what it waited")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::{Value, json};
use tracelink::report::FormatName;

/// What clears a screen, turns text around, has no width, or ends a line.
const HOSTILE: &str = "\u{1b}[2J\u{9b}2J\u{202e}\u{7}\r\n\u{7f}\u{200b}\u{e0041}";

fn tracelink(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(args).env_remove("TRACELINK_BROKER").output().expect("tracelink runs")
}

fn message(id: usize, headers: Value) -> String {
    let mut all =
        json!({"lang": "py", "task": "send", "id": format!("id-{id}"), "retries": 0, "argsrepr": "()"});
    for (name, value) in headers.as_object().expect("headers") {
        all[name] = value.clone();
    }
    json!({"body": "[[], {}, {}]", "content-type": "application/json", "headers": all,
           "properties": {"delivery_info": {"exchange": "", "routing_key": "celery"}}})
    .to_string()
}

fn snapshot(path: &Path, keys: &[Value]) {
    let head = json!({"snapshot": "broker/1", "captured_at": "2026-11-22T19:49:57Z"});
    let lines: Vec<_> = [&head].into_iter().chain(keys).map(Value::to_string).collect();
    fs::write(path, lines.join("\n")).expect("the folder is ours");
}

fn spans(path: &Path, service: &str, spans: &[Value]) {
    let service = json!([{"key": "service.name", "value": {"stringValue": service}}]);
    let request =
        json!({"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [{"spans": spans}]}]});
    fs::write(path, request.to_string()).expect("the folder is ours");
}

/// Whether a text may be written to a terminal, colours apart.
fn is_tame(text: &str) -> bool {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|letter: char| !letter.is_ascii_digit() && letter != ';').unwrap_or(0);
        if !after[end..].starts_with('m') {
            return false;
        }
        rest = &after[end + 1..];
    }
    plain.push_str(rest);
    let acts = |letter: char| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{e0000}'..='\u{e0fff}')
    };
    !plain.chars().any(acts)
}

#[test]
fn nothing_from_outside_acts_on_a_terminal() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bundle = dir.path().join("bundle");
    fs::create_dir(&bundle).expect("the folder is ours");
    let named = |name: &str| format!("{name}{HOSTILE}");
    let messages = [
        message(1, json!({"task": named("send"), "origin": HOSTILE, "traceparent": named("00-4BF9")})),
        message(
            2,
            json!({"task": named("send"), (named("trace_context")): HOSTILE, "baggage": named("user")}),
        ),
        message(3, json!({"id": named("id"), "trace_context": {}, "b3": HOSTILE})),
    ];
    let failed = json!({"status": "FAILURE", "traceback": HOSTILE,
        "result": {"exc_type": named("Error"), "exc_message": [HOSTILE]}, "worker": HOSTILE});
    snapshot(
        &bundle.join("redis.1.jsonl"),
        &[
            json!({"key": named("_kombu.binding."), "type": "set", "entries": [named("a\u{6}\u{16}\u{6}\u{16}q")]}),
            json!({"key": named("q"), "type": "list", "entries": messages}),
            json!({"key": named("celery-task-meta-id"), "type": "string", "entries": failed.to_string()}),
            json!({"key": "broken", "type": "list", "entries": [7]}),
        ],
    );
    let event = json!({"name": "exception", "attributes": [
        {"key": "exception.type", "value": {"stringValue": named("Error")}},
        {"key": "exception.message", "value": {"stringValue": HOSTILE}}]});
    let attributes = json!([
        {"key": "celery.action", "value": {"stringValue": "run"}},
        {"key": "celery.task_name", "value": {"stringValue": named("send")}},
        {"key": "messaging.message.id", "value": {"stringValue": named("id")}}]);
    let span = json!({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "name": named("run/send"),
        "kind": 5, "startTimeUnixNano": "5", "endTimeUnixNano": "9", "flags": 256, "attributes": attributes,
        "events": [event], "status": {"code": 2, "message": HOSTILE}});
    spans(&bundle.join("spans.jsonl"), &named("worker"), &[span]);
    let request = json!({"outcome": "zipkin", "agent": HOSTILE, "target": named("POST /")});
    fs::write(bundle.join("receiver.jsonl"), format!("{request}\n{{\"outcome\": \"{}\"}}\n", "\\u001b[2J"))
        .expect("the folder is ours");
    let broken = bundle.join("re\u{1b}[2Jdis.jsonl");
    fs::write(&broken, r#"{"snapshot": "broker/1", "captured_at": "\u001b[2J"}"#)
        .expect("the folder is ours");

    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (folder, snapshot) = (path(&bundle), path(&bundle.join("redis.1.jsonl")));
    let missing = path(&dir.path().join("\u{1b}[2J\u{202e}"));
    let mut runs = vec![vec!["diagnose", &missing], vec!["explain", HOSTILE]];
    for format in FormatName::ALL.iter().map(|format| format.name()) {
        runs.push(vec!["diagnose", &folder, "--verbose", "--format", format]);
        runs.push(vec![
            "inspect-queue",
            "--snapshot",
            &snapshot,
            "--show-args",
            "--verbose",
            "--format",
            format,
        ]);
    }
    for args in runs {
        let output = tracelink(&[&args[..], &["--color", "always"]].concat());
        for (stream, bytes) in [("out", output.stdout), ("err", output.stderr)] {
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert!(is_tame(&text), "{args:?}, standard {stream}: {text:?}");
            assert!(!text.contains("panicked"), "{args:?}: {text}");
        }
    }
}

#[test]
fn a_snapshot_through_a_pipe_is_read_as_from_a_file() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("redis.jsonl");
    let messages: Vec<_> = (0..500).map(|id| message(id, json!({}))).collect();
    snapshot(&path, &[json!({"key": "celery", "type": "list", "entries": messages})]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "/dev/stdin", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tracelink runs");
    let text = fs::read(&path).expect("written above");
    let mut input = child.stdin.take().expect("it is piped");
    // In pieces, the first of which says nothing.
    let writer = std::thread::spawn(move || {
        input.write_all(&text[..1])?;
        std::thread::sleep(Duration::from_millis(50));
        input.write_all(&text[1..])
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("all was read");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["inputs"]["messages"], 500);
}

/// The processor time that it takes to diagnose these files, which are far from too many
/// for anybody who left a receiver running for a day. What else the machine does is not in
/// it.
fn time_to_diagnose(files: &[&Path]) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.args(["diagnose", "--format", "json"]).args(files).env_remove("TRACELINK_BROKER");
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tracelink runs");
    let pid = Pid::from_child(&child);
    // It has ended, and is still there to be asked.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).expect("it is a child");
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it was not waited for");
    let output = child.wait_with_output().expect("it has ended");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    // The name in parentheses may hold anything; the state behind it is field 3.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = |field: usize| -> u64 {
        fields.split_whitespace().nth(field - 3).and_then(|ticks| ticks.parse().ok()).expect("a number")
    };
    // In user mode and in the kernel, in hundredths of a second (`man 5 proc_pid_stat`).
    Duration::from_millis((ticks(14) + ticks(15)) * 10)
}

/// Each of these took minutes at the square of its size.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_carrier_that_thousands_of_messages_share_costs_no_square() {
    const MANY: usize = 4_000;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (queue, runs) = (dir.path().join("redis.jsonl"), dir.path().join("spans.jsonl"));
    let shared = json!({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
    let messages: Vec<_> = (0..MANY).map(|id| message(id, shared.clone())).collect();
    snapshot(&queue, &[json!({"key": "celery", "type": "list", "entries": messages})]);
    let run = |id: usize| {
        json!({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": format!("{:016x}", id + 1),
               "parentSpanId": "00f067aa0ba902b7", "name": "send it", "kind": 5, "flags": 768,
               "startTimeUnixNano": (1_000 + id).to_string(), "endTimeUnixNano": (2_000 + id).to_string()})
    };
    spans(&runs, "worker", &(0..MANY).map(run).collect::<Vec<_>>());
    let took = time_to_diagnose(&[&queue, &runs]);
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_task_that_was_tried_thousands_of_times_costs_no_square() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("spans.jsonl");
    // The last retry count that there is, too: the next attempt has none.
    let run = |id: u64| {
        let retries = u64::from(u32::MAX) - id;
        json!({"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": format!("{:016x}", id + 1), "name": "run/send",
               "parentSpanId": if id == 0 { String::new() } else { format!("{id:016x}") },
               "kind": if id == 1 { 4 } else { 5 }, "startTimeUnixNano": "5", "endTimeUnixNano": "9",
               "attributes": [
                   {"key": "celery.action", "value": {"stringValue": if id == 1 { "apply_async" } else { "run" }}},
                   {"key": "celery.retries", "value": {"intValue": retries}},
                   {"key": "messaging.message.id", "value": {"stringValue": "same"}}]})
    };
    spans(&path, "worker", &(0..8_000).map(run).collect::<Vec<_>>());
    let took = time_to_diagnose(&[&path]);
    assert!(took < SOON, "{took:?}");
}

#[test]
fn thousands_of_roots_and_tasks_of_many_names_cost_no_square() {
    const MANY: usize = 6_000;
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (queue, runs) = (dir.path().join("redis.jsonl"), dir.path().join("spans.jsonl"));
    let messages: Vec<_> = (0..MANY).map(|id| message(id, json!({"task": format!("task{id}")}))).collect();
    snapshot(&queue, &[json!({"key": "celery", "type": "list", "entries": messages})]);
    let root = |id: usize| {
        json!({"traceId": format!("{:032x}", id + 1), "spanId": format!("{:016x}", id + 1), "name": format!("process task{id}"), "kind": 5,
               "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"})
    };
    spans(&runs, "worker", &(0..MANY).map(root).collect::<Vec<_>>());
    let took = time_to_diagnose(&[&queue, &runs]);
    assert!(took < SOON, "{took:?}");
}

#[test]
fn ids_that_a_known_hash_takes_for_one_cost_no_square() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("spans.jsonl");
    // The first half multiplies everything after it by zero in rustc-hash 2.
    let span = |id: u64| {
        json!({"traceId": format!("{:016x}{id:016x}", 0x243f_6a88_85a3_08d3_u64.swap_bytes()), "name": "GET /",
               "spanId": format!("{id:016x}"), "kind": 2, "startTimeUnixNano": "5", "endTimeUnixNano": "9"})
    };
    spans(&path, "api", &(1..60_000).map(span).collect::<Vec<_>>());
    let took = time_to_diagnose(&[&path]);
    assert!(took < SOON, "{took:?}");
}
