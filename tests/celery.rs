//! Real Celery publishes to a real Redis, and `inspect-queue` reads each
//! message right. The truth is what the publisher says of its messages.

mod support;

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;
use support::python;
use support::redis::RedisServer;

fn inspect(url: &str, args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["inspect-queue", "--broker", url, "--format", "json", "--verbose"])
        .args(args)
        .output()
        .expect("tracelink runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn published_and_read(kind: &str, least: usize) {
    let redis = RedisServer::start();
    let printed = python::script(kind, "publish.py", &[&redis.url()]);
    let truth: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(truth.len() >= least, "only {} messages were published", truth.len());

    let report = inspect(&redis.url(), &["--limit", "10000"]);
    let messages = report["messages"].as_array().expect("a list");
    let by_id: BTreeMap<&str, &Value> =
        messages.iter().map(|message| (message["id"].as_str().expect("an id"), message)).collect();
    let mut wrong = Vec::new();
    for message in &truth {
        let id = message["id"].as_str().expect("an id");
        let Some(read) = by_id.get(id) else {
            wrong.push(format!("not read: {message}"));
            continue;
        };
        let context = read["contexts"].as_array().expect("a list").first();
        let place = context.map_or("none", |context| context["at"].as_str().expect("a path"));
        let same = |key: &str| context.map_or(&Value::Null, |context| &context[key]) == &message[key];
        let attempt = message["attempt"].as_u64().unwrap_or(0);
        let has_eta = message["eta"].as_bool().unwrap_or(false);
        let is_right = read["task"] == message["task"]
            && read["queue"] == message["queue"]
            && place == message["place"].as_str().expect("a place")
            && same("trace_id")
            && same("span_id")
            && read["attempt"].as_u64() == Some(attempt)
            && read["eta"].is_string() == has_eta;
        if !is_right {
            wrong.push(format!("{message}\n  read as {read}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), truth.len(), wrong.join("\n"));
    assert_eq!(messages.len(), truth.len(), "nothing else is a message");

    // A look at everything counts the same.
    let counted = inspect(&redis.url(), &["--all"]);
    assert_eq!(counted["inputs"]["messages"], truth.len());
    let celery = counted["queues"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|queue| queue["name"] == "celery")
        .expect("celery");
    assert_eq!(celery["priorities"].as_array().expect("a list").len(), 4, "{celery}");
}

#[test]
fn current_celery_with_the_instrumentor() {
    published_and_read("current", 40);
}

#[test]
fn celery_5_2_by_hand() {
    published_and_read("celery52", 40);
}
