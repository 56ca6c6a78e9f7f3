//! What people see, held by snapshots: `cargo insta review`, or
//! `INSTA_UPDATE=always cargo test --test human`, and look at them.

use std::path::{Path, PathBuf};

use tracelink::bundle::{Reading, read_evidence};
use tracelink::diagnosis::{Listing, report};
use tracelink::evidence::Evidence;
use tracelink::report::text::count;
use tracelink::report::{FormatName, Subject, Verbosity, View};

fn seen(case: &str, stage: Option<&str>, width: usize, verbosity: Verbosity) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
    let paths: Vec<PathBuf> = vec![stage.map_or(folder.clone(), |stage| folder.join(stage))];
    let mut evidence = Evidence::default();
    read_evidence(&paths, &Reading::default(), &mut evidence).expect("readable");
    let report = report(&evidence, evidence.clock(), Listing::default());
    let subject = if stage.is_some() { Subject::Queue } else { Subject::Handoffs };
    let view =
        View { width, verbosity, broker: stage.map(|_| "redis://127.0.0.1:6379/0".to_owned()), exit_code: 1 };
    let mut out = Vec::new();
    FormatName::Human.writer().report(&report, subject, &view, &mut out).expect("writes to memory");
    anstream::adapter::strip_bytes(&out).into_vec().try_into().expect("UTF-8")
}

/// Every line but those to paste fits the terminal.
fn fits(text: &str, width: usize) {
    for line in text.lines().filter(|line| !line.contains("fix ") && !line.starts_with("           ")) {
        assert!(line.chars().count() <= width, "{} columns: {line}", line.chars().count());
    }
}

macro_rules! snapshot {
    ($name:ident, $case:literal, $stage:expr, $width:literal, $verbosity:ident) => {
        #[test]
        fn $name() {
            let text = seen($case, $stage, $width, Verbosity::$verbosity);
            fits(&text, $width);
            insta::assert_snapshot!(text);
        }
    };
}

snapshot!(a_propagator_that_differs, "propagator_api_b3multi_worker_w3c", None, 80, Normal);
snapshot!(
    a_propagator_that_differs_on_a_wide_terminal,
    "propagator_api_b3multi_worker_w3c",
    None,
    140,
    Normal
);
snapshot!(a_silent_worker, "worker_no_sdk", None, 80, Normal);
snapshot!(two_consumer_spans, "duplicate_consumer", None, 80, Normal);
snapshot!(a_healthy_request, "healthy_auto", None, 80, Normal);
snapshot!(a_chord, "chord_auto", None, 80, Normal);
snapshot!(retries, "retry_auto", None, 80, Verbose);
snapshot!(only_the_verdict, "manual_zero_traceparent", None, 80, Quiet);
snapshot!(
    a_queue_with_one_origin_silent,
    "own540_two_apis_one_not_instrumented",
    Some("redis.queued.jsonl"),
    80,
    Normal
);
snapshot!(a_queue_on_a_wide_terminal, "shape_priorities", Some("redis.queued.jsonl"), 140, Normal);
snapshot!(
    a_malformed_header_with_its_carets,
    "manual_malformed_traceparent_upper",
    Some("redis.queued.jsonl"),
    80,
    Normal
);

/// A request of so many spans whose last one hands over, to a run of as many
/// more: its own trace's, or the request's.
fn large(spans: usize, is_broken: bool) -> String {
    const START: u64 = 1_795_376_994_000_000_000;
    let celery = |action: &str| {
        serde_json::json!([
            {"key": "celery.action", "value": {"stringValue": action}},
            {"key": "messaging.message.id", "value": {"stringValue": "d580ee63-5e29-49b3-aef9-d4937b4c5aea"}},
            {"key": "celery.task_name", "value": {"stringValue": "process_order"}},
        ])
    };
    let request = |service: &str, first: usize, trace: usize, entry: (&str, u32, usize)| {
        let spans: Vec<_> = (first..first + spans)
            .map(|number| {
                let (is_entry, is_producer) = (number == first, number == spans);
                let (name, kind, parent) = match () {
                    () if is_entry => entry,
                    () if is_producer => ("apply_async/process_order", 4, first),
                    () => ("SELECT orders", 3, first),
                };
                let attributes = match kind {
                    4 => celery("apply_async"),
                    5 => celery("run"),
                    _ => serde_json::json!([]),
                };
                let parent = if parent == 0 { String::new() } else { format!("{parent:016x}") };
                let start = START + number as u64 * 1_000_000;
                serde_json::json!({
                    "traceId": format!("{trace:032x}"), "spanId": format!("{number:016x}"), "parentSpanId": parent,
                    "name": name, "kind": kind, "attributes": attributes,
                    "flags": if is_entry && !parent.is_empty() { 768 } else { 256 },
                    "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 500_000).to_string(),
                })
            })
            .collect();
        serde_json::json!({"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"scope": {"name": "opentelemetry.instrumentation.celery"}, "spans": spans}],
        }]})
    };
    let (trace, parent) = if is_broken { (2, 0) } else { (1, spans) };
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile().expect("a file");
    let lines = [
        request("order-api", 1, 1, ("POST /orders", 2, 0)),
        request("order-worker", spans + 1, trace, ("run/process_order", 5, parent)),
    ];
    std::fs::write(file.path(), lines.map(|line| line.to_string()).join("\n")).expect("writable");
    let mut evidence = Evidence::default();
    read_evidence(&[file.path().to_owned()], &Reading::default(), &mut evidence).expect("readable");
    let report = report(&evidence, evidence.clock(), Listing::default());
    let view = View { width: 80, verbosity: Verbosity::Normal, broker: None, exit_code: 1 };
    let mut out = Vec::new();
    let mut writer = FormatName::Human.writer();
    writer.report(&report, Subject::Handoffs, &view, &mut out).expect("writes to memory");
    anstream::adapter::strip_bytes(&out).into_vec().try_into().expect("UTF-8")
}

#[test]
fn of_a_large_trace_the_hand_off_is_shown_and_the_rest_counted() {
    let text = large(5000, false);
    fits(&text, 80);
    assert!(text.lines().count() < 40, "{text}");
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(place("POST /orders") < place("apply_async/process_order"), "{text}");
    assert!(place("apply_async/process_order") < place("run/process_order"), "{text}");
    assert!(text.contains(&format!("… {} more spans", count(9986))), "{text}");
}

#[test]
fn of_two_large_traces_both_sides_of_the_broken_spot_are_shown() {
    let text = large(5000, true);
    fits(&text, 80);
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.contains("the worker started a trace of its own"), "{text}");
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(place("apply_async/process_order") < place("╳"), "{text}");
    assert!(place("╳") < place("run/process_order"), "{text}");
    assert_eq!(text.matches(&format!("… {} more spans", count(4986))).count(), 2, "{text}");
}
