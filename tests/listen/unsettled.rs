//! The end of a session comes when it comes: what is absent then may have been on
//! its way, and is not told for lost.

#![allow(clippy::disallowed_methods, reason = "a test waits for a real listener")]

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::listener::{Ended, Listener};
use super::replay::{case, cases, each_in_parallel, requests};
use crate::support::redis::RedisServer;

const START: u64 = 1_795_376_994_000_000_000;
const ID: &str = "d580ee63-5e29-49b3-aef9-d4937b4c5aea";

/// The part of a capture that comes from one service: an exporter holds the other.
fn sent_by(name: &str, service: &str) -> Vec<String> {
    let wanted = format!("\"{service}\"");
    let sent: Vec<_> =
        requests(&case(name)).into_iter().filter(|request| request.contains(&wanted)).collect();
    assert!(!sent.is_empty(), "{service} sends nothing in {name}");
    sent
}

/// What `diagnose` says of what was saved.
fn replayed(bundle: &Path) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json"])
        .arg(bundle)
        .output()
        .expect("tracelink runs");
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("a report"))
}

/// The session's end, which its bundle repeats in each word.
fn ended(listen: &[&str], act: impl FnOnce(&Listener)) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let listener = Listener::start(&[listen, &["--save", bundle.to_str().expect("UTF-8")]].concat());
    act(&listener);
    let ended = listener.wait();
    let mut report = ended.report();
    let (code, mut again) = replayed(&bundle);
    assert_eq!(code, ended.code, "{again:#}");
    // Looks that saw nothing new are not kept.
    for report in [&mut report, &mut again] {
        report["inputs"]["snapshots"].take();
    }
    for part in ["verdict", "findings", "handoffs", "traces", "metrics", "inputs"] {
        assert_eq!(again[part], report[part], "{part}");
    }
    ended
}

fn is_not_settled(ended: &Ended) {
    let report = ended.report();
    assert_eq!(report["verdict"]["status"], "unproven", "{report:#}");
    let unproven = &report["verdict"]["unproven"];
    assert_eq!((&unproven[0]["reason"], &unproven[0]["count"]), (&json!("not-settled"), &json!(1)));
    let faults = report["findings"].as_array().expect("a list").iter();
    assert_eq!(faults.filter(|finding| finding["severity"] != "note").count(), 0, "{report:#}");
    assert_eq!((ended.code, &report["inputs"]["handoffs_whole"]), (Some(0), &json!(0)));
}

#[test]
fn a_healthy_order_that_was_cut_short_is_not_called_broken() {
    for signal in [Signal::INT, Signal::TERM] {
        let ended = ended(&[], |listener| {
            listener.send_json(&sent_by("healthy_auto", "order-api"));
            sleep(Duration::from_secs(2));
            listener.signal(signal);
        });
        is_not_settled(&ended);
    }
    for limit in [["--for", "2s"], ["--idle", "1s"]] {
        is_not_settled(&ended(&limit, |listener| listener.send_json(&sent_by("healthy_auto", "order-api"))));
    }
    // The run alone, as it comes where the other exporter is the slow one.
    is_not_settled(&ended(&["--idle", "1s"], |listener| {
        listener.send_json(&sent_by("healthy_auto", "order-worker"));
    }));
}

#[test]
fn what_is_whole_needs_no_settling() {
    let ended = ended(&["--idle", "500ms"], |listener| listener.send_json(&requests(&case("healthy_auto"))));
    assert_eq!(ended.report()["verdict"]["status"], "healthy", "{}", ended.stdout);
    assert_eq!(ended.report()["inputs"]["handoffs_whole"], 1);
}

#[test]
fn a_broken_order_that_settled_is_broken_whatever_came_after_it() {
    let ended = ended(&["--settle", "1s"], |listener| {
        listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
        sleep(Duration::from_millis(1_500));
        listener.send_json(&sent_by("healthy_auto", "order-api"));
        listener.signal(Signal::INT);
    });
    let report = ended.report();
    assert_eq!((ended.code, &report["verdict"]["slug"]), (Some(1), &json!("propagator-mismatch")));
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert_eq!(report["inputs"]["handoffs"], 2);
}

#[test]
fn one_that_had_not_settled_is_not_told_for_broken_at_the_last_moment() {
    let ended = ended(&["--format", "json"], |listener| {
        listener.send_json(&requests(&case("propagator_api_b3multi_worker_w3c")));
        listener.signal(Signal::INT);
    });
    is_not_settled(&ended);
}

/// Spans as the instrumentor makes them, in a trace of their own.
fn request(service: &str, spans: &Value) -> String {
    let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn span(kind: u8, id: &str, parent: &str, name: &str, millis: u64, attributes: &[(&str, &str)]) -> Value {
    let attributes: Vec<_> =
        attributes.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect();
    json!({
        "traceId": "000000000000000000000000000000aa", "spanId": id, "parentSpanId": parent, "name": name,
        "kind": kind, "flags": if kind == 5 { 0x300 } else { 0x100 }, "attributes": attributes,
        "startTimeUnixNano": (START + millis * 1_000_000).to_string(),
        "endTimeUnixNano": (START + (millis + 5) * 1_000_000).to_string(),
    })
}

const SERVER: &str = "00000000000000b0";
const PRODUCER: &str = "00000000000000b1";
const RUN: &str = "00000000000000b2";

/// A Redis to which a worker is bound.
fn broker() -> RedisServer {
    let redis = RedisServer::start();
    redis.ask(&[b"SADD", b"_kombu.binding.celery", b"celery\x06\x16\x06\x16celery"]);
    redis.ask(&[b"SADD", b"_kombu.binding.celery.pidbox", b"\x06\x16\x06\x16celery@w.celery.pidbox"]);
    redis
}

fn publish(redis: &RedisServer) {
    let envelope = json!({
        "body": "W10=", "content-type": "application/json", "content-encoding": "utf-8",
        "headers": {
            "lang": "py", "task": "work", "id": ID, "root_id": ID, "parent_id": null, "group": null, "retries": 0,
            "eta": null, "expires": null, "argsrepr": "[]", "kwargsrepr": "{}", "origin": "gen7@web-1",
            "traceparent": format!("00-000000000000000000000000000000aa-{PRODUCER}-01"),
        },
        "properties": {
            "correlation_id": ID, "reply_to": ID, "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": "celery"}, "delivery_tag": ID,
        },
    });
    redis.ask(&[b"LPUSH", b"celery", envelope.to_string().as_bytes()]);
}

fn finish(redis: &RedisServer) {
    let result = json!({
        "status": "SUCCESS", "result": null, "traceback": null, "children": [], "date_done": "2026-11-22T19:49:57Z",
        "task_id": ID,
    });
    redis.ask(&[b"SET", format!("celery-task-meta-{ID}").as_bytes(), result.to_string().as_bytes()]);
}

const NAMED: [(&str, &str); 2] = [("messaging.message.id", ID), ("celery.task_name", "work")];

fn spans_of_the_api() -> String {
    let published = [&NAMED[..], &[("celery.action", "apply_async"), ("messaging.destination", "celery")]];
    let spans = [
        span(2, SERVER, "", "POST /orders", 0, &[]),
        span(4, PRODUCER, SERVER, "apply_async/work", 1, &published.concat()),
    ];
    request("api", &json!(spans))
}

fn spans_of_the_run() -> String {
    let run = [&NAMED[..], &[("celery.action", "run"), ("celery.state", "SUCCESS")]].concat();
    request("worker", &json!([span(5, RUN, PRODUCER, "run/work", 9_000, &run)]))
}

/// A task that waits for longer than the settling time, is taken, leaves its result,
/// and whose run comes later still: in between nothing is said.
#[test]
fn settling_starts_anew_when_a_message_leaves_its_queue_and_when_its_result_comes() {
    let redis = broker();
    let settle = Duration::from_secs(3);
    let part = settle * 2 / 3;
    let url = redis.url();
    let args = ["--format", "jsonl", "--settle", "3s", "--broker", &url, "--result-backend", &url];
    let listener = Listener::start(&args);
    publish(&redis);
    listener.send_json(&[spans_of_the_api()]);
    sleep(settle + Duration::from_secs(1));
    redis.ask(&[b"RPOP", b"celery"]);
    sleep(part);
    finish(&redis);
    sleep(part);
    listener.send_json(&[spans_of_the_run()]);
    sleep(Duration::from_millis(500));
    let ended = listener.end();
    let events: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let said = events.iter().filter(|event| event["event"] == "finding" || event["event"] == "resolved");
    assert_eq!(said.count(), 0, "{}", ended.stdout);
    let report = &events.last().expect("an event")["report"];
    assert_eq!((ended.code, &report["verdict"]["status"]), (Some(0), &json!("healthy")), "{report:#}");
    assert_eq!(report["inputs"]["results"], 1, "its result was read: {report:#}");
}

#[test]
fn what_was_taken_a_moment_before_the_end_is_not_told_for_lost() {
    let redis = broker();
    let url = redis.url();
    let args = ["--settle", "2s", "--broker", &url, "--result-backend", &url];
    let cut_short = |wait: Duration| {
        ended(&args, |listener| {
            publish(&redis);
            listener.send_json(&[spans_of_the_api()]);
            // It waits for longer than anything is waited for.
            sleep(Duration::from_secs(3));
            redis.ask(&[b"RPOP", b"celery"]);
            finish(&redis);
            sleep(wait);
            listener.signal(Signal::INT);
        })
    };
    is_not_settled(&cut_short(Duration::from_secs(1)));
    redis.ask(&[b"DEL", format!("celery-task-meta-{ID}").as_bytes()]);
    let later = cut_short(Duration::from_secs(4));
    assert_eq!((later.code, &later.report()["verdict"]["slug"]), (Some(1), &json!("worker-silent")));
}

/// A capture that was cut off in its middle, and one that had settled by half.
#[test]
fn whatever_a_session_says_of_a_capture_its_bundle_says_again() {
    each_in_parallel(&cases(), |case| {
        let requests = requests(case);
        let (first, rest) = requests.split_at(requests.len() / 2);
        ended(&["--settle", "400ms"], |listener| {
            listener.send_json(first);
            sleep(Duration::from_millis(500));
            listener.send_json(&rest[..rest.len() / 2]);
            listener.signal(Signal::INT);
        });
    });
}

/// Runs it at a terminal, with an order that lacks its run; `then` says what happens
/// when it waits. Prints all that the terminal showed, and how it ended.
const AT_A_TERMINAL: &str = r#"
import json, os, pty, re, select, sys, time, urllib.request
binary, then, sent, rest = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(binary, [binary, "listen", "--grpc", "0", "--http", "0", "--settle", "4s"])
shown = b""
def see(wanted):
    global shown
    deadline = time.monotonic() + 30
    while not re.search(wanted, shown):
        assert time.monotonic() < deadline, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536)
    return re.search(wanted, shown)
def post(requests):
    for body in requests:
        head = {"content-type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(url, body.encode(), head)).read()
url = "http://127.0.0.1:%s/v1/traces" % see(rb"http 127\.0\.0\.1:(\d+)")[1].decode()
post(sent)
os.write(terminal, b"\x03")
see(rb"waiting up to 4 s for 1 hand-off; Ctrl-C again ends now")
asked = time.monotonic()
if then == "again":
    os.write(terminal, b"\x03")
elif then == "comes":
    post(rest)
try:
    while chunk := os.read(terminal, 65536):
        shown += chunk
except OSError:
    pass
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({"shown": shown.decode(), "code": code, "took": time.monotonic() - asked}))
"#;

#[test]
fn at_a_terminal_ctrl_c_waits_for_what_is_open_and_a_second_one_does_not() {
    let at_a_terminal = |then: &str| -> Value {
        let [sent, rest] =
            ["order-api", "order-worker"].map(|service| json!(sent_by("healthy_auto", service)).to_string());
        let output = Command::new("python3")
            .args(["-c", AT_A_TERMINAL, env!("CARGO_BIN_EXE_tracelink"), then, &sent, &rest])
            .env_remove("TRACELINK_BROKER")
            .output()
            .expect("python3 runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {error}"))
    };
    let took = |ran: &Value| ran["took"].as_f64().expect("a number");
    let says = |ran: &Value, what: &str| ran["shown"].as_str().is_some_and(|shown| shown.contains(what));
    let again = at_a_terminal("again");
    assert!(took(&again) < 3.0 && says(&again, "unproven"), "{again:#}");
    let comes = at_a_terminal("comes");
    assert!(took(&comes) < 3.0 && says(&comes, "healthy"), "{comes:#}");
    let waits = at_a_terminal("waits");
    assert!(took(&waits) > 2.0 && says(&waits, "unproven"), "{waits:#}");
    assert_eq!((&again["code"], &comes["code"], &waits["code"]), (&json!(0), &json!(0), &json!(0)));
}
