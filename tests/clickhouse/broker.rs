//! A broker beside a store, and beside files: its messages are joined to the spans of their
//! publishes, whenever those were, and it is left as it was.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::asked::{a_day_ago, seconds};
use super::support::clickhouse::{ClickHouse, Layout};
use super::support::redis::RedisServer;

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(name)
}

/// The requests of a capture's spans that this service did not send.
fn spans_without(name: &str, service: &str) -> String {
    let spans = std::fs::read_to_string(capture(name).join("spans.jsonl")).expect("a capture");
    let of_others: Vec<_> = spans.lines().filter(|line| !line.contains(service)).collect();
    assert!(!of_others.is_empty() && of_others.len() < spans.lines().count(), "{name}");
    of_others.join("\n")
}

fn diagnose(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracelink"));
    command.arg("diagnose").args(args).args(["--no-config", "--color=never"]);
    command.output().expect("the binary runs")
}

#[track_caller]
fn report(args: &[&str]) -> Value {
    let output = diagnose(&[args, &["--format=json"]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {told}");
    assert!(!told.contains("s3cret"), "{told}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"))
}

/// What a report says of hand-offs and causes, apart from times.
fn said(report: &Value) -> (Vec<Value>, Vec<Value>) {
    let handoffs = report["handoffs"].as_array().expect("a list").iter();
    let handoffs = handoffs.map(|one| {
        Value::from_iter(
            ["task_id", "stations", "producer", "consumers", "result"].map(|key| (key, one[key].clone())),
        )
    });
    let findings = report["findings"].as_array().expect("a list").iter();
    (handoffs.collect(), findings.map(|one| one["slug"].clone()).collect())
}

/// A message that waits now, whose request was a day ago, where the last hour is asked for.
#[test]
fn a_message_that_waits_is_joined_to_its_publish_of_yesterday() {
    for layout in [Layout::Map, Layout::SigNoz] {
        let store = ClickHouse::start();
        let spans = spans_without("healthy_auto", "order-worker");
        store.load(layout, "otel", &spans, Some(seconds(a_day_ago())));
        let redis = RedisServer::start();
        redis.load(&capture("healthy_auto").join("redis.queued.jsonl"));
        let before = redis.dump();

        let url = store.url("otel");
        let alone = diagnose(&[&url]);
        assert_eq!(alone.status.code(), Some(3), "nothing happened in the last hour: {alone:?}");
        let joined = report(&[&url, "--broker", &redis.url()]);
        let [handoff] = &**joined["handoffs"].as_array().expect("a list") else {
            panic!("one hand-off: {}", joined["handoffs"])
        };
        assert_eq!(handoff["producer"][1], "28f1cd67bff3f230", "{handoff}");
        for station in ["request", "inject", "carry"] {
            assert_eq!(handoff["stations"][station], "intact", "{handoff}");
        }
        assert_eq!((&joined["inputs"]["messages"], &joined["inputs"]["spans"]), (&1.into(), &7.into()));
        assert_eq!(joined["messages"][0]["state"], "ready");
        // It has waited for a day.
        assert_eq!(joined["verdict"]["slug"], "no-worker", "{}", joined["verdict"]);
        assert_eq!(redis.dump(), before, "it was only read");

        // A snapshot leads there as a live broker does.
        let snapshot = capture("healthy_auto").join("redis.queued.jsonl");
        let snapshot = snapshot.to_str().expect("UTF-8");
        for args in [[&*url, snapshot], [snapshot, &*url]] {
            assert_eq!(said(&report(&args)).0, said(&joined).0, "{args:?}");
        }
    }
}

/// A message that carries no context leads to its publish by its id, within the margin too.
#[test]
fn a_message_without_a_context_is_joined_by_its_id() {
    let store = ClickHouse::start();
    // Before the hour, and after the beginning of its margin.
    let end = a_day_ago().after(Duration::from_hours(24) - Duration::from_mins(70));
    let spans = spans_without("protocol1_auto", "order-worker");
    store.load(Layout::Map, "otel", &spans, Some(seconds(end)));
    let redis = RedisServer::start();
    redis.load(&capture("protocol1_auto").join("redis.queued.jsonl"));
    let joined = report(&[&store.url("otel"), "--broker", &redis.url()]);
    let handoff = &joined["handoffs"][0];
    assert!(handoff["producer"][1].is_string(), "{handoff}");
    assert_eq!(joined["messages"][0]["contexts"], Value::Array(Vec::new()));
    assert_eq!(joined["verdict"]["slug"], "protocol-1", "{}", joined["verdict"]);
}

#[test]
fn beside_files_it_says_what_a_snapshot_says() {
    for (name, look) in [
        ("healthy_auto", "redis.queued.jsonl"),
        ("manual_malformed_traceparent_upper", "redis.queued.jsonl"),
        ("failing_task", "redis.done.jsonl"),
    ] {
        let (spans, snapshot) = (capture(name).join("spans.jsonl"), capture(name).join(look));
        let (spans, snapshot) = (spans.to_str().expect("UTF-8"), snapshot.to_str().expect("UTF-8"));
        let redis = RedisServer::start();
        redis.load(Path::new(snapshot));
        let before = redis.dump();
        let live = report(&[spans, "--broker", &redis.url()]);
        assert_eq!(said(&live), said(&report(&[spans, snapshot])), "{name}");
        assert!(live["inputs"]["spans"].as_u64() > Some(0), "{name}");
        assert_eq!(redis.dump(), before, "{name}: it was only read");
    }
}

#[test]
fn a_broker_that_does_not_answer_ends_it_with_its_own_message() {
    let spans = capture("healthy_auto").join("spans.jsonl");
    let spans = spans.to_str().expect("UTF-8");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let store = ClickHouse::start();
    store.load(Layout::Map, "otel", "", None);
    for evidence in [spans, &store.url("otel")] {
        let output = diagnose(&[evidence, "--broker", &format!("redis://:s3cret@{closed}/0")]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains(&closed.to_string()) && !told.contains("s3cret"), "{told}");
    }
    let output = diagnose(&[spans, "--result-backend", "redis://localhost"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
