//! Real wire: a real Celery worker takes the demo API's messages, and the demo
//! worker those of a real Celery producer.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracelink::demo::{self, Event, Options, Play};
use tracelink::model::{Report, SpanReport};

use crate::bundle::Bundle;
use crate::matrix::judge;
use crate::support::python::script;
use crate::support::redis::RedisServer;

/// Gives a play on a Redis of its own; `on` is called with each event, the
/// broker's URL and the queue.
fn give(name: &str, play: &Play, redis: &RedisServer, mut on: impl FnMut(&Event, &str)) -> Report {
    let mut bundle = Bundle::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("celery").join(name));
    let options = Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_tracelink")),
        broker: Some(redis.url()),
        otlp: bundle.otlp(),
        orders: None,
        rate: None,
        pace: 0.1,
        keep: false,
    };
    let mut queue = String::new();
    demo::give(play, &options, &mut |event| {
        if let Event::Broker { queue: name, .. } = &event {
            queue.clone_from(name);
        }
        if matches!(event, Event::Queued { .. } | Event::Done) {
            bundle.look(&redis.url(), std::iter::empty());
        }
        on(&event, &queue);
        ControlFlow::Continue(())
    })
    .expect("the play is given");
    judge(&bundle.close())
}

fn span<'r>(report: &'r Report, name: &str) -> (String, &'r SpanReport) {
    let spans = report.traces.iter().flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)));
    let found = spans.into_iter().find(|(_, span)| span.name == name);
    let (trace, span) = found.unwrap_or_else(|| panic!("no span {name} in {report:?}"));
    (trace.trace_id.to_string(), span)
}

#[test]
fn a_real_worker_takes_the_demo_apis_message() {
    let redis = RedisServer::start();
    let mut said = Value::Null;
    let play = demo::find("no-worker").expect("a play without the demo's worker").play();
    let report = give("worker", &play, &redis, |event, queue| {
        if let Event::Queued { tasks } = event {
            // After its banner.
            let output = script("current", "worker.py", &[&redis.url(), queue]);
            said =
                serde_json::from_str(output.lines().rfind(|line| line.starts_with('{')).unwrap_or_default())
                    .expect("JSON");
            assert_eq!(said["id"], tasks[0]);
        }
    });
    assert_eq!(said["args"][0], "order_u123_p456");
    assert_eq!(said["args"][1]["quantity"], 2);
    assert_eq!((&said["root_id"], &said["state"]), (&said["id"], &Value::from("SUCCESS")));
    assert!(said["origin"].as_str().is_some_and(|origin| origin.starts_with("gen")), "{said}");
    let (trace, producer) = span(&report, "apply_async/process_order");
    assert_eq!(said["trace_id"], trace);
    assert_eq!(said["parent_id"], producer.span_id.to_string());
}

#[test]
fn the_demo_worker_takes_a_real_producers_message() {
    let redis = RedisServer::start();
    let mut sent = Value::Null;
    let play = demo::find("healthy").expect("a healthy play").play();
    let report = give("producer", &play, &redis, |event, queue| match event {
        Event::Queued { .. } => {
            sent =
                serde_json::from_str(&script("current", "order.py", &[&redis.url(), queue])).expect("JSON");
        }
        // The stage waits for its own orders only.
        Event::Done => await_success(&redis, sent["id"].as_str().expect("an id")),
        _ => {}
    });
    let (trace, run) = report
        .traces
        .iter()
        .flat_map(|trace| trace.spans.iter().map(move |span| (trace, span)))
        .find(|(trace, span)| {
            span.name == "run/process_order" && sent["trace_id"] == trace.trace_id.to_string()
        })
        .expect("the run of the real producer's task");
    assert_eq!(run.parent_id.map(|id| id.to_string()).as_deref(), sent["span_id"].as_str());
    assert!(trace.spans.iter().any(|span| span.name == "update_inventory"));
}

fn await_success(redis: &RedisServer, id: &str) {
    let key = format!("celery-task-meta-{id}");
    for _ in 0..500 {
        let result = redis.ask(&[b"GET", key.as_bytes()]);
        if String::from_utf8_lossy(&result).contains("\"SUCCESS\"") {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the demo's worker did not run {id}");
}
