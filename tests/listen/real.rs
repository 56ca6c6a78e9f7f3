//! The real stack: FastAPI, Celery and the OpenTelemetry Python SDK, run as a
//! wrapped command whose broker is watched.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::redis::{RedisServer, free_port};
use crate::support::{node, python};

/// Runs the application under the receiver, and returns the exit code and the report.
fn run(protocol: &str, env: &[(&str, &str)], args: &[&str]) -> (Option<i32>, Value, String) {
    let redis = RedisServer::start();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/orders.py");
    let output = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["listen", "--format", "json", "--broker", &redis.url()])
        .args(args)
        .arg("--")
        .arg(python::stack())
        .args([script, "drive"])
        .env("BROKER", redis.url())
        .env("PORT", free_port().to_string())
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        .env("OTEL_BSP_SCHEDULE_DELAY", "300")
        .envs(env.iter().copied())
        .output()
        .expect("tracelink runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{why}: {error}"));
    (output.status.code(), report, error)
}

const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

#[test]
fn a_healthy_application_is_whole_and_the_sdk_logs_no_error() {
    for protocol in PROTOCOLS {
        let (code, report, error) = run(protocol, &[("ORDERS", "3")], &[]);
        assert_eq!(code, Some(0), "{protocol}: {report:#}{error}");
        assert_eq!(report["verdict"]["status"], "healthy", "{protocol}");
        assert_eq!(report["inputs"]["handoffs"], 3, "{protocol}: {}", report["inputs"]);
        assert_eq!(report["inputs"]["messages"], 3, "the queue was watched: {}", report["inputs"]);
        assert_eq!(report["inputs"]["results"], 3, "and the results: {}", report["inputs"]);
        for handoff in report["handoffs"].as_array().expect("a list") {
            let stations = handoff["stations"].as_object().expect("five");
            assert!(stations.values().all(|state| state == "intact"), "{protocol}: {handoff:#}");
            assert!(handoff["queue_wait_ms"].as_f64().is_some_and(|wait| wait > 100.0), "{handoff:#}");
        }
        assert!(!error.contains("Failed to export") && !error.contains("Traceback"), "{protocol}: {error}");
    }
}

#[test]
fn a_worker_with_another_propagator_is_named_for_certain() {
    for protocol in PROTOCOLS {
        let (code, report, error) = run(protocol, &[("WORKER_PROPAGATORS", "b3")], &[]);
        assert_eq!(code, Some(1), "{protocol}: {report:#}{error}");
        let first = &report["findings"][0];
        assert_eq!(
            (first["slug"].as_str(), first["confidence"].as_str()),
            (Some("propagator-mismatch"), Some("certain"))
        );
        assert_eq!(first["station"], "extract");
        assert!(first["evidence"].to_string().contains("traceparent"), "the header is quoted: {first:#}");
    }
}

#[test]
fn the_monitor_sees_what_polling_misses() {
    // A fast worker that is there before the orders: nothing lies in the queue.
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let args = ["--broker-monitor", "--save", bundle.to_str().expect("UTF-8")];
    let (code, report, error) = run("grpc", &[("ORDERS", "2")], &args);
    assert_eq!(code, Some(0), "{report:#}{error}");
    assert_eq!(report["inputs"]["messages"], 2, "{}", report["inputs"]);
    assert_eq!(report["limits"]["messages_not_seen"], 0, "{}", report["limits"]);

    // It is kept, without arguments, and says the same again.
    let overheard = fs::read_to_string(bundle.join("redis.overheard.jsonl")).expect("kept");
    assert!(overheard.contains("traceparent") && !overheard.contains("u123"), "{overheard}");
    let again = Command::new(env!("CARGO_BIN_EXE_tracelink"))
        .args(["diagnose", "--format", "json"])
        .arg(&bundle)
        .output()
        .expect("tracelink runs");
    let again: Value = serde_json::from_slice(&again.stdout).expect("a report");
    for part in ["verdict", "findings", "handoffs", "traces"] {
        assert_eq!(again[part], report[part], "{part}");
    }
    assert_eq!(again["inputs"]["messages"], 2, "{}", again["inputs"]);
}

/// An API in JavaScript, which sends OTLP/JSON, before the worker in Python,
/// which sends protobuf.
fn run_javascript(propagator: &str) -> (Option<i32>, Value, String) {
    let api = json!(["node", node::path_of("orders.js")]).to_string();
    let modules = node::modules();
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle");
    let env = [
        ("API_COMMAND", &*api),
        ("API_PROPAGATOR", propagator),
        ("NODE_PATH", modules.to_str().expect("UTF-8")),
        ("ORDERS", "2"),
    ];
    let ran = run("http/protobuf", &env, &["--save", bundle.to_str().expect("UTF-8")]);
    // Each of them came, and all that came was taken.
    let log = fs::read_to_string(bundle.join("receiver.jsonl")).expect("kept");
    assert!(log.contains("OTel-OTLP-Exporter-JavaScript/"), "{log}");
    assert!(log.contains("OTel-OTLP-Exporter-Python/"), "{log}");
    let mut requests = log.lines().filter(|line| line.contains("\"outcome\""));
    assert!(requests.all(|line| line.contains("\"accepted\"")), "{log}");
    ran
}

#[test]
fn an_api_in_javascript_hands_over_to_a_worker_in_python() {
    let (code, report, error) = run_javascript("tracecontext");
    assert_eq!(code, Some(0), "{report:#}{error}");
    assert_eq!(report["verdict"]["status"], "healthy", "{report:#}");
    assert_eq!(
        (&report["inputs"]["traces"], &report["inputs"]["handoffs"]),
        (&json!(2), &json!(2)),
        "{report:#}"
    );
    for handoff in report["handoffs"].as_array().expect("a list") {
        let stations = handoff["stations"].as_object().expect("five");
        assert!(stations.values().all(|state| state == "intact"), "{handoff:#}");
        assert!(handoff["queue_wait_ms"].as_f64().is_some_and(|wait| wait > 100.0), "{handoff:#}");
    }
}

#[test]
fn an_api_in_javascript_that_writes_b3_is_named_for_certain() {
    let (code, report, error) = run_javascript("b3multi");
    assert_eq!(code, Some(1), "{report:#}{error}");
    let findings = report["findings"].as_array().expect("a list");
    let said: Vec<_> = findings
        .iter()
        .map(|finding| (&finding["slug"], &finding["variant"], &finding["confidence"], &finding["count"]))
        .collect();
    assert_eq!(
        said,
        [(&json!("propagator-mismatch"), &json!("b3multi-to-other"), &json!("certain"), &json!(2))],
        "{report:#}"
    );
    assert!(findings[0]["evidence"].to_string().contains("x-b3-traceid"), "{:#}", findings[0]);
}
