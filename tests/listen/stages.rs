//! Captures replayed with the stages of their broker: a live Redis becomes each
//! snapshot in turn, the spans come when they came between, and the report is
//! the one that `diagnose` gives of all of it.
//!
//! What a watch cannot see and a snapshot does, so that it is left out here: a
//! result of a task of which nothing else was seen, because results are read by
//! the ids of known tasks only; and when it was, which is now.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::model::Timestamp;

use super::listener::Listener;
use super::replay::{each_in_parallel, name_fixes, requests};
use crate::support::redis::RedisServer;

/// What happened to a capture's receiver and its broker.
enum Happening {
    Stage(PathBuf),
    Request(String),
}

/// The history of a case: its snapshots by the moment of their capture, its
/// requests by that of their arrival.
fn history(case: &Path) -> Vec<Happening> {
    let mut history = Vec::new();
    for path in snapshots(case) {
        let text = fs::read_to_string(&path).expect("readable");
        let head: Value = serde_json::from_str(text.lines().next().expect("a head")).expect("JSON");
        let at = head["captured_at"].as_str().and_then(Timestamp::parse_rfc3339).expect("a time");
        history.push((at, Happening::Stage(path)));
    }
    let exports = fs::read_to_string(case.join("exports.jsonl")).expect("readable");
    let mut arrivals = exports.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["t"].as_f64().map(|seconds| Timestamp::UNSET.after(Duration::from_secs_f64(seconds)))
    });
    for request in requests(case) {
        history.push((arrivals.next().expect("each request arrived"), Happening::Request(request)));
    }
    history.sort_by_key(|(at, _)| *at);
    history.into_iter().map(|(_, happening)| happening).collect()
}

fn snapshots(case: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(case).expect("readable").map(|entry| entry.expect("readable").path());
    let is_snapshot =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("redis."));
    files.filter(is_snapshot).collect()
}

/// Every case with stages of a broker and spans.
fn cases() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let folders = fs::read_dir(corpus).expect("fixtures/corpus is part of the project");
    let mut cases: Vec<_> = folders
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("exports.jsonl").is_file() && snapshots(path).len() >= 2)
        .collect();
    cases.sort();
    assert!(cases.len() > 120, "cases are missing");
    cases
}

/// Where the application keeps its results, as who runs it knows: the database,
/// and what stands before their keys.
fn results(case: &Path) -> Option<(u64, String)> {
    let texts = snapshots(case).into_iter().map(|path| fs::read_to_string(path).expect("readable"));
    let lines: Vec<Value> = texts
        .flat_map(|text| {
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<_>>()
        })
        .collect();
    lines.iter().find_map(|line| {
        let (prefix, _) = line["key"].as_str()?.split_once("celery-task-meta-")?;
        Some((line["db"].as_u64()?, prefix.to_owned()))
    })
}

/// What `diagnose` says of the whole capture.
fn diagnosed(case: &Path) -> Value {
    let mut evidence = Evidence::default();
    read_evidence(&[case.to_owned()], &EvidenceOptions::default(), &mut evidence).expect("a capture");
    serde_json::to_value(report(&evidence, evidence.clock(), Listing::default())).expect("serialises")
}

/// How often Redis was asked this.
fn calls(redis: &RedisServer, command: &str) -> u64 {
    let stats = String::from_utf8(redis.ask(&[b"INFO", b"commandstats"])).expect("UTF-8");
    let calls = stats.split_once(&format!("cmdstat_{command}:calls=")).map_or("0", |(_, rest)| rest);
    calls.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number")
}

/// Waits until the names were walked over, and everything that is known was
/// looked at from beginning to end, since `scans` walking steps had been taken.
fn let_it_look(redis: &RedisServer, scans: u64) {
    let wait = |is_enough: &dyn Fn() -> bool| {
        // A minute is for a listener that has died.
        let mut looks = 0..3_000;
        while !is_enough() {
            assert!(looks.next().is_some(), "the listener does not look at its broker");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait(&|| calls(redis, "scan") > scans);
    // Each look asks Redis for its time, and so does each walk that begins; one
    // look may be under way.
    let enough = calls(redis, "time") + 4;
    wait(&|| calls(redis, "time") >= enough);
}

fn listened(case: &Path) -> Value {
    const SETTLE: Duration = Duration::from_millis(300);
    let redis = RedisServer::start();
    let (broker, settle) = (redis.url(), format!("{}ms", SETTLE.as_millis()));
    let mut args = vec!["--settle", &settle, "--broker", &broker];
    let results =
        results(case).map(|(db, prefix)| (format!("redis://127.0.0.1:{}/{db}", redis.port), prefix));
    if let Some((backend, prefix)) = &results {
        args.extend(["--result-backend", backend, "--result-prefix", prefix]);
    }
    let listener = Listener::start(&args);
    for happening in history(case) {
        match happening {
            Happening::Stage(snapshot) => {
                let scans = calls(&redis, "scan");
                redis.become_snapshot(&snapshot);
                let_it_look(&redis, scans);
            }
            Happening::Request(request) => listener.send_json(&[request]),
        }
    }
    // Of what waits something is said when it has waited for the settling time.
    std::thread::sleep(SETTLE);
    let_it_look(&redis, 0);
    listener.signal(Signal::INT);
    listener.wait().report()
}

/// Whether a hand-off is known by more than its result.
fn is_heard_of(handoff: &Value) -> bool {
    handoff["deliveries"] != 0
        || handoff["producer"] != Value::Null
        || handoff["consumers"] != Value::Array(vec![])
}

/// What is to be the same: every finding, hand-off and trace.
fn said(report: &Value) -> Value {
    let list = |key: &str| report[key].as_array().expect("a list").iter();
    let parts = [
        "code",
        "slug",
        "variant",
        "severity",
        "confidence",
        "station",
        "message",
        "count",
        "tasks",
        "services",
        "queues",
        "origins",
        "handoffs",
        "fixes",
    ];
    let findings = list("findings").cloned().map(|mut finding| {
        name_fixes(&mut finding);
        parts.map(|part| finding[part].clone()).to_vec()
    });
    // Hand-offs stand in the order of their tasks' first sight.
    let handoffs: BTreeSet<_> =
        list("handoffs").filter(|handoff| is_heard_of(handoff)).map(Value::to_string).collect();
    serde_json::json!({
        "verdict": report["verdict"],
        "findings": findings.collect::<Vec<_>>(),
        "handoffs": handoffs,
        "traces": report["traces"],
        "metrics": report["metrics"],
    })
}

#[test]
fn with_the_stages_of_its_broker_a_capture_gives_the_report_of_the_joined_view() {
    each_in_parallel(&cases(), |case| {
        let (listened, diagnosed) = (listened(case), diagnosed(case));
        let mut both = [&listened, &diagnosed].map(said);
        let handoffs = diagnosed["handoffs"].as_array().expect("a list");
        if !handoffs.iter().all(is_heard_of) {
            // What is known by its result alone is whole to neither, and unseen by one.
            for of in &mut both {
                let verdict = of["verdict"].as_object_mut().expect("an object");
                verdict.remove("unproven");
                if verdict["slug"].is_null() {
                    verdict.remove("status");
                }
            }
        }
        let [listened, diagnosed] = both;
        assert_eq!(listened, diagnosed, "{}", case.display());
    });
}
