//! `--metrics`: the figures are those of the report, and Prometheus' own parsers read them.

use std::time::Duration;

use serde_json::Value;

use super::control::report_when;
use super::listener::Listener;
use super::replay::{case, requests};
use super::support::asking::{asked, get};
use super::support::python;

const BROKEN: &str = "propagator_api_b3multi_worker_w3c";
const HEALTHY: &str = "healthy_auto";

/// What the parsers read of both syntaxes, once the text says so.
fn figures_when(port: u16, says: impl Fn(&str) -> bool) -> Value {
    const TRIES: u32 = 1_200;
    let mut text = String::new();
    for _ in 0..TRIES {
        text = get(port, "/metrics").body;
        if says(&text) {
            let read = python::script("metrics", "read_metrics.py", &[&port.to_string()]);
            return serde_json::from_str(&read).expect("JSON");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("it never says so: {text}")
}

/// The value of a figure with these labels among its own.
fn figure(read: &Value, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let figures = read["figures"].as_array().expect("a list");
    let has = |figure: &&Value| {
        figure["name"] == name && labels.iter().all(|(label, value)| figure["labels"][label] == *value)
    };
    let mut found = figures.iter().filter(has);
    let value = found.next()?["value"].as_f64();
    assert!(found.next().is_none(), "{name} {labels:?} is there twice");
    value
}

#[test]
fn figures_are_those_of_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let ready = folder.path().join("ready.json");
    let name = ready.to_str().expect("UTF-8");
    let args = ["--metrics", "0", "--control", "0", "--settle", "300ms", "--ready-file", name];
    let listener = Listener::start(&args);
    listener.send_json(&requests(&case(BROKEN)));
    listener.send_json(&requests(&case(HEALTHY)));
    let sent = requests(&case(BROKEN)).len() + requests(&case(HEALTHY)).len();
    let accepted = format!("{{outcome=\"accepted\"}} {sent}\n");
    let is_judged = |text: &str| {
        [r#"verdict="broken""#, r#"verdict="whole""#, &accepted].iter().all(|part| text.contains(part))
    };
    let read = figures_when(listener.metrics, is_judged);
    let report = report_when(listener.control, |report| report["verdict"]["status"] == "broken");
    let ready: Value = serde_json::from_slice(&std::fs::read(&ready).expect("it is ready")).expect("JSON");
    assert_eq!(ready["metrics"], format!("127.0.0.1:{}", listener.metrics));
    for syntax in ["prometheus", "openmetrics"] {
        let read = &read[syntax];
        let total = |verdict, slug| {
            let labels = [("task", "process_order"), ("verdict", verdict), ("slug", slug)];
            figure(read, "tracelink_handoffs_total", &labels)
        };
        assert_eq!(total("broken", "propagator-mismatch"), Some(1.0), "{read}");
        assert_eq!(total("whole", ""), Some(1.0));
        assert_eq!(report["inputs"]["handoffs"], 2);
        let open = [("slug", "propagator-mismatch"), ("code", "TL301"), ("severity", "error")];
        assert_eq!(figure(read, "tracelink_findings", &open), Some(1.0));
        let account = &report["inputs"]["span_account"];
        for (name, field) in [
            ("tracelink_spans_received_total", "received"),
            ("tracelink_spans_evicted_total", "evicted"),
            ("tracelink_spans_rejected_total", "rejected"),
            ("tracelink_spans_duplicate_total", "duplicates"),
            ("tracelink_spans_held", "held"),
        ] {
            assert_eq!(figure(read, name, &[]), account[field].as_f64(), "{name}");
        }
        let sent = f64::from(u32::try_from(sent).expect("a few"));
        assert_eq!(figure(read, "tracelink_requests_total", &[("outcome", "accepted")]), Some(sent));
        assert_eq!(figure(read, "tracelink_requests_total", &[("outcome", "busy")]), Some(0.0));
        let waits = &report["metrics"]["queue_wait_ms"];
        let of_task = [("task", "process_order")];
        assert_eq!(figure(read, "tracelink_queue_wait_seconds_count", &of_task), waits["count"].as_f64());
        let all = [("task", "process_order"), ("le", "+Inf")];
        assert_eq!(figure(read, "tracelink_queue_wait_seconds_bucket", &all), waits["count"].as_f64());
        let longest = waits["max"].as_f64().expect("one waited") / 1000.0;
        let sum = figure(read, "tracelink_queue_wait_seconds_sum", &of_task).expect("a sum");
        assert!(sum >= longest, "{sum} {longest}");
        assert_eq!(read["types"]["tracelink_queue_wait_seconds"], "histogram");
        assert_eq!(read["types"]["tracelink_handoffs"], "counter");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        assert_eq!(figure(read, "tracelink_build_info", &version), Some(1.0));
    }
    assert_eq!(read["prometheus"]["content_type"], "text/plain; version=0.0.4; charset=utf-8");
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(read["openmetrics"]["content_type"], open_metrics);
    listener.end();
}

/// The hand-off of the healthy capture, as another task in another trace.
fn another(number: usize, task: &str) -> Vec<String> {
    let task = serde_json::to_string(task).expect("a text");
    let bare = &task[1..task.len() - 1];
    requests(&case(HEALTHY))
        .iter()
        .map(|request| {
            request
                .replace("7e092b798b3ca4c737832e51c2fd8ee0", &format!("{:032x}", number + 1))
                .replace(
                    "d580ee63-5e29-49b3-aef9-d4937b4c5aea",
                    &format!("d580ee63-5e29-49b3-aef9-{number:012x}"),
                )
                .replace("process_order", bare)
        })
        .collect()
}

#[test]
fn names_from_outside_are_escaped_and_bounded() {
    const HOSTILE: &str = "a\"} 9\ntracelink_up{x=\"\\\u{1b}[31m\u{202e}";
    const TASKS: usize = 105;
    let listener = Listener::start(&["--metrics", "0", "--settle", "300ms"]);
    listener.send_json(&another(0, HOSTILE));
    figures_when(listener.metrics, |text| text.contains("verdict=\"whole\""));
    for number in 1..TASKS {
        listener.send_json(&another(number, &format!("task {number}")));
    }
    // A hundred names are told apart, of which the hostile one is the first.
    let read = figures_when(listener.metrics, |text| {
        text.contains("tracelink_handoffs_total{task=\"other\",verdict=\"whole\",slug=\"\"} 5\n")
    });
    for syntax in ["prometheus", "openmetrics"] {
        let figures = read[syntax]["figures"].as_array().expect("a list");
        let tasks: Vec<_> = figures
            .iter()
            .filter(|figure| figure["name"] == "tracelink_handoffs_total")
            .map(|figure| figure["labels"]["task"].as_str().expect("a text"))
            .collect();
        assert_eq!(tasks.len(), 101, "{tasks:?}");
        let hostile = tasks.iter().find(|task| task.starts_with("a\"} 9")).expect("it is one label");
        assert!(hostile.contains("tracelink_up{x=\"\\"), "{hostile:?}");
        assert!(!hostile.contains(['\n', '\u{1b}', '\u{202e}']), "{hostile:?}");
        assert!(figures.iter().all(|figure| figure["name"] != "tracelink_up"));
    }
    listener.end();
}

#[test]
fn it_answers_this_machine_and_one_path() {
    let listener = Listener::start(&["--metrics", "0"]);
    let port = listener.metrics;
    assert_eq!(get(port, "/").status, 404);
    let posted = asked(port, "POST", "/metrics", &["Content-Length: 0"]);
    assert_eq!((posted.status, posted.header("allow")), (405, Some("get, head")));
    let head = asked(port, "HEAD", "/metrics", &[]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for headers in [&["Host: metrics.example"][..], &["Origin: http://example.org"]] {
        assert_eq!(asked(port, "GET", "/metrics", headers).status, 403, "{headers:?}");
    }
    let nothing = get(port, "/metrics").body;
    assert!(nothing.contains("# TYPE tracelink_handoffs_total counter\n"), "{nothing}");
    listener.end();
}
