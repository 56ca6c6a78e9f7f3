//! What a person is shown of a store: one trace with what belongs to it, what is not there, the
//! table at the terminal, and the page.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::asked::{a_day_ago, seconds};
use super::support::asking::get;
use super::support::clickhouse::{ClickHouse, Layout};

/// Of the capture whose run begins a trace of its own: the trace of the request, and the run's.
const REQUEST: &str = "a12c544d91731759a17b680641542a98";
const RUN: &str = "3cdfe9f676bd8e412aaf9e230895dfaa";

/// A table with a healthy hand-off and a broken one, half an hour ago.
fn shop() -> ClickHouse {
    let store = ClickHouse::start();
    let end = a_day_ago().after(Duration::from_hours(24) - Duration::from_mins(30));
    for name in ["healthy_auto", "propagator_api_b3multi_worker_w3c"] {
        let spans = format!("{}/fixtures/corpus/{name}/spans.jsonl", env!("CARGO_MANIFEST_DIR"));
        let spans = std::fs::read_to_string(spans).expect("a capture");
        store.load(Layout::Map, "shop", &spans, Some(seconds(end)));
    }
    store
}

fn diagnose(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.arg("diagnose").args(args).args(["--no-config", "--color=never"]);
    command.output().expect("the binary runs")
}

#[track_caller]
fn told(output: &Output, code: i32) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert_eq!(output.status.code(), Some(code), "{err}");
    (out, err)
}

#[test]
fn a_person_sees_what_was_asked_and_what_became_of_hand_offs() {
    let store = shop();
    let (out, err) = told(&diagnose(&[&store.url("shop")]), 1);
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    let from = flat.split("read-only ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a time");
    assert_eq!(from.len(), "2026-11-30T04:00:34Z".len(), "to the second: {out}");
    for says in [
        "shop.otel_traces read-only",
        "Z, ClickHouse",
        "20 spans, 3 traces, 2 hand-offs by ClickHouse's count",
        "✓ one trace 1 1",
        "✗ a trace of its own 1 1",
        "╳ the worker started a trace of its own",
    ] {
        assert!(flat.contains(says), "{says} is not in {out}");
    }
    assert!(err.contains("the table has no flags of spans"), "{err}");
}

#[test]
fn one_trace_brings_what_belongs_to_it_and_no_other() {
    let store = shop();
    let url = store.url("shop");
    for asked in [REQUEST, RUN] {
        let output = diagnose(&[&url, "--trace", asked, "--format=json"]);
        let (out, _) = told(&output, 1);
        let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let traces = report["traces"].as_array().expect("a list").iter();
        let mut traces: Vec<_> = traces.filter_map(|trace| trace["trace_id"].as_str()).collect();
        traces.sort_unstable();
        assert_eq!(traces, [RUN, REQUEST], "asked for {asked}");
        assert_eq!(report["verdict"]["code"], "TL301");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let store = shop();
    let url = store.url("shop");
    let nowhere = "ffffffffffffffffffffffffffffffff";
    let of_then = ["--from=2020-01-01T00:00:00Z", "--to=2020-01-01T01:00:00Z"];
    for (args, says) in [
        (&["--trace", nowhere][..], "shop.otel_traces: it has no trace ffffffffffffffffffffffffffffffff"),
        (
            &of_then,
            "no span began between 2020-01-01T00:00:00Z and 2020-01-01T01:00:00Z: ask for another time",
        ),
        (&["--service=nobody"], "20 spans began, and none is of what --task and --service name"),
    ] {
        let (_, err) = told(&diagnose(&[&[&*url], args].concat()), 3);
        assert!(err.contains(says), "{says} is not in {err}");
        assert!(!err.contains("no flags"), "nothing rests on it: {err}");
    }
}

#[test]
fn the_page_shows_what_the_store_counted() {
    let store = shop();
    let mut process = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", &store.url("shop"), "--web=127.0.0.1:0", "--no-config"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
    let mut port = 0;
    // It says so once the report is there.
    for line in lines.by_ref().map(|line| line.expect("UTF-8")) {
        if let Some((_, rest)) = line.split_once("the page stays at http://127.0.0.1:") {
            port = rest.split('/').next().and_then(|port| port.parse().ok()).expect("a port");
            break;
        }
    }
    let page = get(port, "/").body;
    assert!(page.contains("20 spans, 3 traces, 2 hand-offs by ClickHouse"), "{page}");
    assert!(page.contains("propagator-mismatch") && !page.contains(ClickHouse::PASSWORD), "{page}");
    let id = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
    assert_eq!(process.wait().expect("it ends").code(), Some(1));
}
