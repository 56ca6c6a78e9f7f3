//! What people see, held by snapshots: `cargo insta review`, or
//! `INSTA_UPDATE=always cargo test --test human`, and look at them.
//!
//! Over 400 lines, since the snapshots share how evidence is put together for them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tracelink::bundle::{EvidenceOptions, read_evidence};
use tracelink::diagnosis::{Listing, LiveJudge, Pace, report};
use tracelink::evidence::{Evidence, Moment, SpanIntake};
use tracelink::live::MemoryPlan;
use tracelink::report::text::count;
use tracelink::report::{FormatName, Subject, Verbosity, View};
use tracelink::wire::otlp::decode_json;

fn seen(case: &str, stage: Option<&str>, width: usize, verbosity: Verbosity) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
    let paths: Vec<PathBuf> = vec![stage.map_or(folder.clone(), |stage| folder.join(stage))];
    let mut evidence = Evidence::default();
    read_evidence(&paths, &EvidenceOptions::default(), &mut evidence).expect("readable");
    let report = report(&evidence, evidence.clock(), Listing::default());
    let subject = if stage.is_some() { Subject::Queue } else { Subject::Handoffs };
    let view = View {
        width,
        verbosity,
        broker: stage.map(|_| "redis://127.0.0.1:6379/0".to_owned()),
        exit_code: 1,
        ..View::default()
    };
    let mut out = Vec::new();
    FormatName::Human.writer().report(&report, subject, &view, &mut out).expect("writes to memory");
    anstream::adapter::strip_bytes(&out).into_vec().try_into().expect("UTF-8")
}

/// Colour says what the marks say: it begins before each of them and ends behind it.
#[test]
fn what_is_broken_is_red_and_what_is_whole_is_green() {
    let painted = |case: &str| {
        let mut evidence = Evidence::default();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
        read_evidence(&[folder], &EvidenceOptions::default(), &mut evidence).expect("readable");
        let report = report(&evidence, evidence.clock(), Listing::default());
        let view = View { exit_code: 1, ..View::default() };
        let mut out = Vec::new();
        FormatName::Human.writer().report(&report, Subject::Handoffs, &view, &mut out).expect("memory");
        String::from_utf8(out).expect("UTF-8")
    };
    let broken = painted("propagator_api_b3multi_worker_w3c");
    for part in [
        "\u{1b}[1m\u{1b}[31m✗ broken:\u{1b}[0m",
        "\u{1b}[1m\u{1b}[31merror[TL301]: \u{1b}[0m",
        "inject \u{1b}[1m\u{1b}[32m✓\u{1b}[0m",
    ] {
        assert!(broken.contains(part), "{part:?} is not in {broken:?}");
    }
    let whole = painted("healthy_auto");
    assert!(whole.contains("\u{1b}[1m\u{1b}[32m✓ healthy:\u{1b}[0m"), "{whole:?}");
    assert!(!whole.contains("\u{1b}[31m"), "nothing of it is red: {whole:?}");
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
    read_evidence(&[file.path().to_owned()], &EvidenceOptions::default(), &mut evidence).expect("readable");
    let report = report(&evidence, evidence.clock(), Listing::default());
    let view = View { exit_code: 1, ..View::default() };
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
    assert!(text.contains(&format!("… {} more spans", count(9_996))), "{text}");
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
    for more in [4_997, 4_998] {
        assert!(text.contains(&format!("… {} more spans", count(more))), "{text}");
    }
}

/// What is said of what files of OTLP lines hold, in so many columns.
fn said_of(lines: &[serde_json::Value], width: usize) -> String {
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile().expect("a file");
    let lines: Vec<_> = lines.iter().map(serde_json::Value::to_string).collect();
    std::fs::write(file.path(), lines.join("\n")).expect("writable");
    let mut evidence = Evidence::default();
    read_evidence(&[file.path().to_owned()], &EvidenceOptions::default(), &mut evidence).expect("readable");
    told(&report(&evidence, evidence.clock(), Listing::default()), width)
}

fn told(report: &tracelink::model::Report, width: usize) -> String {
    let view = View { width, ..View::default() };
    let mut out = Vec::new();
    FormatName::Human.writer().report(report, Subject::Handoffs, &view, &mut out).expect("writes to memory");
    let text: String = anstream::adapter::strip_bytes(&out).into_vec().try_into().expect("UTF-8");
    fits(&text, width);
    text
}

/// One request to an exporter: spans of one service.
fn request(service: &str, spans: &[serde_json::Value]) -> serde_json::Value {
    serde_json::json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"scope": {"name": "opentelemetry.instrumentation.celery"}, "spans": spans}],
    }]})
}

const API: &str = "7e092b79f1f442b7a2c4d01d28f1cd67";

/// A span; `task` is the id and the action of the task that it is about.
fn of(
    trace: &str,
    (id, parent): (u64, u64),
    (name, kind): (&str, u32),
    at: u64,
    task: Option<(&str, &str)>,
) -> serde_json::Value {
    const START: u64 = 1_795_376_994_000_000_000;
    let attribute = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
    let attributes = task.map_or_else(Vec::new, |(id, action)| {
        vec![
            attribute("celery.action", action),
            attribute("messaging.message.id", id),
            attribute("celery.task_name", "process_order"),
        ]
    });
    serde_json::json!({
        "traceId": trace, "spanId": format!("{id:016x}"),
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
        "name": name, "kind": kind, "attributes": attributes, "flags": if kind == 5 && parent > 0 { 768 } else { 256 },
        "startTimeUnixNano": (START + at * 1_000_000).to_string(),
        "endTimeUnixNano": (START + (at + 5) * 1_000_000).to_string(),
    })
}

const SERVER: (&str, u32) = ("POST /orders", 2);
const PRODUCER: (&str, u32) = ("apply_async/process_order", 4);
const RUN: (&str, u32) = ("run/process_order", 5);

/// A request that published a task, of which nothing else is seen.
fn published() -> serde_json::Value {
    request(
        "order-api",
        &[
            of(API, (1, 0), SERVER, 0, None),
            of(API, (2, 1), PRODUCER, 2, Some(("d580ee63-5e29-49b3-aef9-d4937b4c5aea", "apply_async"))),
        ],
    )
}

#[test]
fn what_was_published_and_not_seen_to_run_is_unproven() {
    insta::assert_snapshot!(said_of(&[published()], 80));
    insta::assert_snapshot!("the_same_in_60_columns", said_of(&[published()], 60));
}

#[test]
fn a_run_whose_sender_was_not_seen_is_unproven() {
    let run = of(API, (3, 2), RUN, 9, Some(("d580ee63-5e29-49b3-aef9-d4937b4c5aea", "run")));
    insta::assert_snapshot!(said_of(&[request("order-worker", &[run])], 80));
}

#[test]
fn a_trace_that_hands_nothing_over_is_unproven() {
    insta::assert_snapshot!(said_of(&[request("order-api", &[of(API, (1, 0), SERVER, 0, None)])], 80));
}

/// What a library tells the broker, and what an ORM does for each row.
#[test]
fn broker_commands_and_siblings_that_are_alike_are_folded() {
    let task = "d580ee63-5e29-49b3-aef9-d4937b4c5aea";
    let mut api =
        vec![of(API, (1, 0), SERVER, 0, None), of(API, (2, 1), PRODUCER, 50, Some((task, "apply_async")))];
    api.extend((0..12).map(|row| of(API, (100 + row, 1), ("SELECT orders", 3), row, None)));
    api.extend(
        ["SADD", "LPUSH", "MULTI"].iter().zip(200..).map(|(name, id)| of(API, (id, 2), (name, 3), 51, None)),
    );
    let run = of(API, (3, 2), RUN, 60, Some((task, "run")));
    let text = said_of(&[request("order-api", &api), request("order-worker", &[run])], 80);
    assert!(
        text.contains("… and 11 more SELECT orders") && text.contains("… and 3 broker commands"),
        "{text}"
    );
    assert!(!text.contains("more spans") && !text.contains("LPUSH"), "{text}");
    insta::assert_snapshot!(text);
}

/// X-Ray begins every id with the second, so traces of one second begin alike.
#[test]
fn traces_that_begin_alike_are_told_apart() {
    let (one, other) = ("68c1a2b3111111111111111128f1cd67", "68c1a2b3222222222222222231e6a6bb");
    let task = Some(("d580ee63-5e29-49b3-aef9-d4937b4c5aea", "apply_async"));
    let api = [of(one, (1, 0), SERVER, 0, None), of(one, (2, 1), PRODUCER, 2, task)];
    let run = of(other, (3, 0), RUN, 9, Some(("d580ee63-5e29-49b3-aef9-d4937b4c5aea", "run")));
    let text = said_of(&[request("order-api", &api), request("order-worker", &[run])], 80);
    assert!(
        !text.contains("68c1a2b3…") && text.contains("…28f1cd67") && text.contains("…31e6a6bb"),
        "{text}"
    );
    assert!(text.contains(one), "no id to copy: {text}");
    insta::assert_snapshot!(text);
}

/// The span that published never came; what else the sender did is there.
#[test]
fn a_sender_that_was_seen_is_never_called_unseen() {
    let task = Some(("d580ee63-5e29-49b3-aef9-d4937b4c5aea", "run"));
    let api = [of(API, (1, 0), SERVER, 0, None), of(API, (4, 1), ("save_order", 1), 1, None)];
    let run = of(API, (3, 2), RUN, 9, task);
    let text = said_of(&[request("order-api", &api), request("order-worker", &[run])], 80);
    assert!(!text.contains("sending side"), "{text}");
    insta::assert_snapshot!(text);
}

/// The run's span never came, and what hangs below it did.
#[test]
fn a_run_that_was_seen_in_part_is_never_called_unseen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/worker_no_sdk");
    let mut evidence = Evidence::default();
    read_evidence(&[folder], &EvidenceOptions::default(), &mut evidence).expect("readable");
    let silent = report(&evidence, evidence.clock(), Listing::default());
    assert!(told(&silent, 80).contains("╳  no span of the run was seen"));
    let mut in_part = silent.clone();
    let trace = &mut in_part.traces[0];
    let mut below = trace.spans[0].clone();
    "send_confirmation_email".clone_into(&mut below.name);
    below.kind = "internal";
    below.span_id = tracelink::model::SpanId::new([9; 8]);
    below.parent_id = Some(tracelink::model::SpanId::new([8; 8]));
    trace.span_count += 1;
    trace.spans.push(below);
    let text = told(&in_part, 80);
    assert!(!text.contains("no span of the run was seen"), "{text}");
    assert!(text.contains("╳  the span of the run was not seen: only what hangs below it was"), "{text}");
}

#[test]
fn a_long_note_is_told_to_its_end() {
    let text =
        seen("own540_two_apis_one_not_instrumented", Some("redis.queued.jsonl"), 60, Verbosity::Normal);
    fits(&text, 60);
    let notes: Vec<_> = text.lines().filter(|line| line.starts_with("note[")).collect();
    assert!(!notes.is_empty() && notes.iter().all(|line| !line.ends_with('…')), "{text}");
}

/// A sender whose spans come late: what was said is taken back, and the hand-off is
/// drawn as it is.
#[test]
fn what_is_mended_is_drawn() {
    let seconds = |seconds| Moment::at(Duration::from_secs(seconds));
    let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(1 << 30));
    let mut writer = FormatName::Human.writer();
    let mut hear = |watch: &mut LiveJudge, spans: serde_json::Value, at: u64| {
        watch.set_time(seconds(at));
        let mut intake = SpanIntake::new(&mut watch.evidence);
        intake.next_request();
        decode_json(spans.to_string().as_bytes(), &mut intake).expect("a request");
        let events =
            watch.round(seconds(at + 9), Pace { shown: 10, again: 100, work: Pace::WORK, thorough: true });
        let view = View::default();
        let mut out = Vec::new();
        writer.traces_a_round();
        writer.events(&events, 0, &view, &mut out).expect("writes to memory");
        String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).expect("UTF-8")
    };
    let run = of(API, (3, 2), RUN, 9, Some(("d580ee63-5e29-49b3-aef9-d4937b4c5aea", "run")));
    let before = hear(&mut watch, request("order-worker", &[run]), 1);
    assert!(before.contains("error[TL502]"), "{before}");
    let after = hear(&mut watch, published(), 11);
    let (_, mended) =
        after.split_once("✓ resolved: parent-not-exported[TL502]").unwrap_or_else(|| panic!("{after}"));
    assert!(
        mended.contains("✓ POST /orders → process_order") && mended.contains("run/process_order"),
        "{after}"
    );
    fits(&after, 80);
    insta::assert_snapshot!(after);
}

/// The first whole order is drawn; the next ones are a line each, with the whole id where
/// there is room for it, unless somebody wants to see all.
#[test]
fn a_whole_order_is_one_line_once_one_was_drawn() {
    let told = |width: usize, verbosity: Verbosity| {
        let seconds = |seconds| Moment::at(Duration::from_secs(seconds));
        let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(1 << 30));
        let mut writer = FormatName::Human.writer();
        let mut out = Vec::new();
        let cases = [
            "healthy_auto",
            "own536_healthy_flask",
            "own540_healthy_django",
            "own536_three_services_healthy",
        ];
        for (at, case) in (1..).step_by(20).zip(cases) {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus").join(case);
            let spans = std::fs::read_to_string(file.join("spans.jsonl")).expect("a capture");
            for line in spans.lines() {
                watch.set_time(seconds(at));
                let mut intake = SpanIntake::new(&mut watch.evidence);
                intake.next_request();
                decode_json(line.as_bytes(), &mut intake).expect("a request");
            }
            let pace = Pace { shown: 10, again: 100, work: Pace::WORK, thorough: true };
            let events = watch.round(seconds(at + 9), pace);
            let view = View { width, verbosity, ..View::default() };
            writer.traces_a_round();
            writer.events(&events, 0, &view, &mut out).expect("writes to memory");
        }
        let told = String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).expect("UTF-8");
        fits(&told, width);
        told
    };
    let [usual, wide, narrow] = [80, 120, 60].map(|width| told(width, Verbosity::Normal));
    let trees = |told: &str| told.lines().filter(|line| line.starts_with("  request ")).count();
    assert_eq!(trees(&usual), 1);
    assert!(trees(&told(80, Verbosity::Verbose)) >= 4);
    insta::assert_snapshot!(format!("{usual}\n{wide}\n{narrow}"));
}

/// Traces come again with later spans of theirs, and the same line twice would read like two.
#[test]
fn what_comes_again_with_nothing_new_is_told_once() {
    let mut watch = LiveJudge::new(Duration::from_secs(6), MemoryPlan::for_evidence(1 << 30));
    watch.set_time(Moment::at(Duration::from_secs(1)));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/healthy_auto/spans.jsonl");
    for line in std::fs::read_to_string(file).expect("a capture").lines() {
        let mut intake = SpanIntake::new(&mut watch.evidence);
        intake.next_request();
        decode_json(line.as_bytes(), &mut intake).expect("a request");
    }
    let pace = Pace { shown: 10, again: 100, work: Pace::WORK, thorough: true };
    let events = watch.round(Moment::at(Duration::from_secs(10)), pace);
    let mut writer = FormatName::Human.writer();
    let mut told = || {
        let mut out = Vec::new();
        writer.events(&events, 0, &View::default(), &mut out).expect("writes to memory");
        out.len()
    };
    assert!(told() > 0);
    assert_eq!(told(), 0, "the same line again");
}
