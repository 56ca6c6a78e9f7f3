//! Real wire: a real Celery worker takes the demo API's messages, and the demo
//! worker those of a real Celery producer.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tracelink::demo::DemoEvent;
use tracelink::demo::native::{self, Options, Scenario};
use tracelink::model::{Report, SpanReport, Status, TraceReport};

use crate::bundle::Bundle;
use crate::matrix::judge;
use crate::support::python::stack_script;
use crate::support::redis::RedisServer;

/// Gives a play on a Redis of its own; `on` is called with each event, the
/// queue, and where spans are taken over gRPC.
fn give(
    name: &str,
    play: &Scenario,
    redis: &RedisServer,
    mut on: impl FnMut(&DemoEvent, &str, &str),
) -> Report {
    let mut bundle = Bundle::open(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("celery").join(name));
    let otlp = bundle.otlp().grpc;
    let options = Options {
        program: PathBuf::from(env!("CARGO_BIN_EXE_tracelink")),
        broker: Some(redis.url()),
        otlp: bundle.otlp(),
        orders: None,
        rate: None,
        pace: 0.1,
        keep: false,
    };
    let (mut queue, mut tasks) = (String::new(), Vec::new());
    native::run(play, &options, &mut |event| {
        if let DemoEvent::Broker { queue: name, .. } = &event {
            queue.clone_from(name);
        }
        if let DemoEvent::Queued { tasks: queued } = &event {
            tasks.clone_from(queued);
            bundle.look(&redis.url(), std::iter::empty());
        }
        on(&event, &queue, &otlp);
        if event == DemoEvent::Done {
            bundle.look(&redis.url(), tasks.iter().map(String::as_str));
        }
        ControlFlow::Continue(())
    })
    .expect("the play is given");
    judge(&bundle.close())
}

/// The trace of that id, with what is said of all: nothing.
fn whole<'r>(report: &'r Report, trace: &Value) -> &'r TraceReport {
    assert_eq!(report.verdict.status, Status::Healthy, "{:?}", report.findings);
    let found = report.traces.iter().find(|found| *trace == found.trace_id.to_string());
    found.unwrap_or_else(|| panic!("no trace {trace} in {:?}", report.traces))
}

/// The span of that name, with its service's name.
fn span<'r>(trace: &'r TraceReport, service: &str, name: &str) -> &'r SpanReport {
    let found = trace.spans.iter().find(|span| span.name == name && span.service == service);
    found.unwrap_or_else(|| panic!("no span {name} of {service} in {trace:?}"))
}

#[test]
fn a_real_worker_takes_the_demo_apis_message() {
    let redis = RedisServer::start();
    let mut said = Value::Null;
    let play = native::find("no-worker").expect("a play without the demo's worker").scenario();
    let report = give("worker", &play, &redis, |event, queue, otlp| {
        if let DemoEvent::Queued { tasks } = event {
            // After its banner.
            let output = stack_script("worker.py", &[&redis.url(), queue, otlp]);
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

    let trace = whole(&report, &said["trace_id"]);
    let (request, producer) =
        (span(trace, "order-api", "POST /orders"), span(trace, "order-api", "apply_async/process_order"));
    let run = span(trace, "real-worker", "run/process_order");
    assert_eq!((request.parent_id, producer.parent_id), (None, Some(request.span_id)));
    assert_eq!(run.parent_id, Some(producer.span_id));
    assert_eq!(said["parent_id"], producer.span_id.to_string());
}

#[test]
fn the_demo_worker_takes_a_real_producers_message() {
    let redis = RedisServer::start();
    let mut sent = Value::Null;
    let play = native::find("healthy").expect("a healthy play").scenario();
    let report = give("producer", &play, &redis, |event, queue, otlp| match event {
        DemoEvent::Queued { .. } => {
            sent =
                serde_json::from_str(&stack_script("order.py", &[&redis.url(), queue, otlp])).expect("JSON");
        }
        // The stage waits for its own orders only.
        DemoEvent::Done => await_success(&redis, sent["id"].as_str().expect("an id")),
        _ => {}
    });
    let trace = whole(&report, &sent["trace_id"]);
    let producer = span(trace, "real-producer", "apply_async/process_order");
    let run = span(trace, "order-worker", "run/process_order");
    assert_eq!((producer.parent_id, run.parent_id), (None, Some(producer.span_id)));
    assert_eq!(sent["span_id"], producer.span_id.to_string());
    assert_eq!(span(trace, "order-worker", "update_inventory").parent_id, Some(run.span_id));
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
