//! Judging while evidence comes in: the stream says what the report says, in
//! any order of arrival, and what is let go for want of memory invents nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracelink::diagnosis::{Listing, LiveJudge, Pace, report};
use tracelink::evidence::{Evidence, Moment, SpanIntake};
use tracelink::live::MemoryPlan;
use tracelink::model::{Event, Severity, Status};
use tracelink::wire::otlp::{decode_json, decode_json_documents};

const SETTLE: Duration = Duration::from_secs(6);
const PACE: Pace = Pace { shown: 100, again: 100, work: Pace::WORK, thorough: true };
const ROOMY: usize = 1 << 30;

fn cases() -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let folders = fs::read_dir(corpus).expect("fixtures/corpus is part of the project");
    let mut cases: Vec<_> = folders
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("spans.jsonl").is_file())
        .collect();
    cases.sort();
    assert!(cases.len() > 120, "cases are missing");
    cases
}

fn requests(case: &Path) -> Vec<String> {
    let text = fs::read_to_string(case.join("spans.jsonl")).expect("readable");
    text.lines().map(str::to_owned).collect()
}

fn take(evidence: &mut Evidence, request: &str) {
    let mut intake = SpanIntake::new(evidence);
    decode_json_documents(request.as_bytes(), &mut intake, SpanIntake::next_request)
        .expect("it was captured");
}

fn at(seconds: u64) -> Moment {
    Moment::at(Duration::from_secs(seconds))
}

/// What stands as told after all events.
fn apply(told: &mut BTreeSet<String>, events: Vec<Event>) {
    for event in events {
        match event {
            Event::Finding { finding, .. } => {
                assert!(told.insert(finding.id.clone()), "{} was told twice", finding.id);
            }
            Event::Resolved(finding) => {
                assert!(told.remove(&finding.id), "{} was never told", finding.id);
            }
            Event::Traces { .. } | Event::Limit(_) => {}
        }
    }
}

#[test]
fn the_stream_and_the_last_report_say_what_diagnose_says() {
    for case in cases() {
        let mut requests = requests(&case);
        let mut whole = Evidence::default();
        requests.iter().for_each(|request| take(&mut whole, request));
        let expected = report(&whole, whole.clock(), Listing::default());
        // A request every two seconds, backwards too: much of it settles in between.
        for _ in 0..2 {
            let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
            let mut told = BTreeSet::new();
            let mut second = 0;
            for request in &requests {
                watch.set_time(at(second));
                take(&mut watch.evidence, request);
                second += 2;
                apply(&mut told, watch.round(at(second), PACE));
            }
            for _ in 0..3 {
                second += 10;
                apply(&mut told, watch.round(at(second), PACE));
            }
            let last = watch.report(Listing::default());
            assert_eq!(last.findings, expected.findings, "{}", case.display());
            assert_eq!(last, expected, "{}", case.display());
            let ids: BTreeSet<_> = expected.findings.iter().map(|finding| finding.id.clone()).collect();
            assert_eq!(told, ids, "{}", case.display());
            requests.reverse();
        }
    }
}

/// Ids come again after `random.seed()`, and a span is sent while it is open and when
/// it has ended: which of two contents came first once decided the report.
#[test]
fn two_contents_under_one_span_id_give_one_report_in_any_order() {
    let span = |name: &str, kind: u32, end: u32, task: &str| {
        serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": format!("{:032x}", 1), "spanId": format!("{:016x}", 2),
            "parentSpanId": if kind == 5 { format!("{:016x}", 1) } else { String::new() },
            "name": name, "kind": kind, "startTimeUnixNano": "1000", "endTimeUnixNano": end.to_string(),
            "attributes": [
                {"key": "celery.action", "value": {"stringValue": if kind == 5 { "run" } else { "apply_async" }}},
                {"key": "messaging.message.id", "value": {"stringValue": task}},
            ],
        }]}]}]})
        .to_string()
    };
    let contents = [
        span("run/pay", 5, 2_000, "task-1"),
        span("apply_async/pay", 4, 3_000, "task-2"),
        span("run/ship", 5, 3_000, "task-3"),
        span("run/pay", 5, 2_500, "task-1"),
    ];
    let told = |order: &[usize]| {
        let mut evidence = Evidence::default();
        order.iter().for_each(|place| take(&mut evidence, &contents[*place]));
        report(&evidence, evidence.clock(), Listing::default())
    };
    let first = told(&[0, 1, 2, 3]);
    assert_eq!((first.inputs.spans, first.inputs.handoffs), (1, 1), "{:?}", first.inputs);
    assert_eq!(first.inputs.span_account.duplicates, 3);
    for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1], [1, 3, 2, 0], [0, 2, 1, 3]] {
        assert_eq!(told(&order), first, "{order:?}");
    }
    // And each of them again.
    let again = [told(&[0, 1, 2, 3, 0, 1, 2, 3]), told(&[3, 2, 2, 0, 1, 3, 0, 1])];
    assert_eq!(again[0].findings, again[1].findings);
    assert_eq!(again[0].traces, first.traces);
}

/// A request of a million spans is filed in pieces, with rounds between them: what it
/// has not brought yet is not absent.
#[test]
fn nothing_settles_of_a_request_that_is_still_being_taken() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/healthy_auto");
    let requests = requests(&case);
    let (last, before) = requests.split_last().expect("requests");
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
    let mut told = BTreeSet::new();
    let mut source = watch.begin_request();
    for request in before {
        decode_json(request.as_bytes(), &mut watch.request_sink(&mut source)).expect("JSON");
    }
    for seconds in [7, 14, 60] {
        apply(&mut told, watch.round(at(seconds), PACE));
        assert!(told.is_empty() && !watch.is_at_rest(), "after {seconds} s: {told:?}");
    }
    // The same order under other ids comes meanwhile.
    for request in &requests {
        let other = ids(&requests)
            .iter()
            .fold(request.clone(), |request, id| request.replace(id, &format!("0000002a{}", &id[8..])));
        watch.take_request(|sink| decode_json(other.as_bytes(), sink)).expect("JSON");
    }
    decode_json(last.as_bytes(), &mut watch.request_sink(&mut source)).expect("JSON");
    watch.end_request(source);
    apply(&mut told, watch.round(at(70), PACE));
    let report = watch.report(Listing::default());
    let loud: Vec<_> = report.findings.iter().filter(|finding| finding.severity < Severity::Note).collect();
    assert!(loud.is_empty(), "{loud:#?}");
    assert!(watch.is_at_rest());
    let account = report.inputs.span_account;
    assert_eq!((account.received, account.duplicates), (account.held, 0));
}

/// More of the same, a moment before the end, takes back nothing of what stands; and
/// what had not settled is not told at the end.
#[test]
fn what_stands_at_the_end_stays_and_nothing_is_added() {
    let case =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/propagator_api_b3multi_worker_w3c");
    let requests = requests(&case);
    let take_all =
        |watch: &mut LiveJudge| requests.iter().for_each(|request| take(&mut watch.evidence, request));
    // Another step of the run: all but its id is that of one that came.
    let late = {
        let mut request: serde_json::Value =
            serde_json::from_str(&requests[requests.len() - 1]).expect("JSON");
        let scopes = request["resourceSpans"][0]["scopeSpans"].as_array_mut().expect("scopes");
        scopes.truncate(1);
        let spans = scopes[0]["spans"].as_array_mut().expect("spans");
        spans.retain(|span| span["kind"] == 1);
        spans.truncate(1);
        spans[0]["spanId"] = "00000000000000b5".into();
        request.to_string()
    };
    let ended = |seconds: u64| {
        let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
        let mut told = BTreeSet::new();
        take_all(&mut watch);
        apply(&mut told, watch.round(at(seconds), PACE));
        let before = told.clone();
        watch.set_time(at(seconds + 1));
        take(&mut watch.evidence, &late);
        watch.end(at(seconds + 2));
        apply(&mut told, watch.round(at(seconds + 3), PACE));
        let report = watch.report(Listing::default());
        let said: BTreeSet<_> = report.findings.iter().map(|finding| finding.id.clone()).collect();
        assert_eq!(said, told, "the stream says what the report says");
        (before, told, report.verdict.status)
    };
    let (before, told, status) = ended(20);
    assert!(
        before.iter().any(|id| id.starts_with("propagator-mismatch")) && told == before,
        "{before:?} {told:?}"
    );
    assert_eq!(status, Status::Broken);
    let (before, told, status) = ended(3);
    assert_eq!((before.len(), told.len(), status), (0, 0, Status::Unproven));
}

#[test]
fn a_whole_hand_off_needs_no_settling() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/healthy_auto");
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
    requests(&case).iter().for_each(|request| take(&mut watch.evidence, request));
    let events = watch.round(at(0), PACE);
    assert!(matches!(&events[..], [Event::Traces { handoffs, .. }] if handoffs.len() == 1), "{events:?}");
    assert!(watch.round(at(1), PACE).is_empty(), "and is shown once");
}

#[test]
fn what_is_let_go_invents_no_orphan_and_no_count_is_lost() {
    const ORDERS: u32 = 1_000;
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/healthy_auto");
    let requests = requests(&case);
    // The same order, a thousand times under other ids.
    let again = |request: &str, number: u32| {
        let mut text = request.to_owned();
        for id in ids(&requests) {
            let mut changed = id.clone();
            changed.replace_range(..8, &format!("{number:08x}"));
            text = text.replace(&id, &changed);
        }
        text
    };
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(1 << 20));
    let mut told = BTreeSet::new();
    for number in 0..ORDERS {
        watch.set_time(Moment::at(Duration::from_millis(u64::from(number) * 100)));
        for request in &requests {
            take(&mut watch.evidence, &again(request, number + 1));
            watch.make_room();
        }
        let pace = Pace { thorough: number % 100 == 0, ..PACE };
        apply(&mut told, watch.round(Moment::at(Duration::from_millis(u64::from(number) * 100 + 50)), pace));
    }
    let last = watch.report(Listing::default());
    assert!(watch.bytes() <= 1 << 20, "{} bytes are held", watch.bytes());
    assert!(last.limits.evicted_traces > 100, "{:?}", last.limits);
    assert_eq!(last.inputs.handoffs, u64::from(ORDERS));
    assert_eq!(last.metrics.queue_wait_ms.map(|wait| wait.count), Some(u64::from(ORDERS)));
    let loud: Vec<_> = last.findings.iter().filter(|finding| finding.severity < Severity::Note).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

/// Every trace, span and task id of the requests.
fn ids(requests: &[String]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for request in requests {
        let parts: Vec<_> = request.split('"').collect();
        for (place, part) in parts.iter().enumerate() {
            let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_task = part.len() == 36
                && parts[..place].iter().rev().take(8).any(|key| key.starts_with("messaging."));
            if (matches!(part.len(), 16 | 32) && is_hex) || is_task {
                ids.insert((*part).to_owned());
            }
        }
    }
    ids
}

/// A PRODUCER span and the CONSUMER span below it, for each of so many tasks.
fn handoffs(tasks: u64, trace_of: impl Fn(u64) -> u64) -> String {
    let spans: Vec<_> = (0..tasks)
        .flat_map(|task| {
            let span = |id: u64, parent: Option<u64>, name: &str, kind: u32, action: &str| {
                serde_json::json!({
                    "traceId": format!("{:032x}", trace_of(task) + 1),
                    "spanId": format!("{id:016x}"),
                    "parentSpanId": parent.map(|parent| format!("{parent:016x}")).unwrap_or_default(),
                    "name": name, "kind": kind, "startTimeUnixNano": "1000", "endTimeUnixNano": "2000",
                    "attributes": [
                        {"key": "celery.action", "value": {"stringValue": action}},
                        {"key": "messaging.message.id", "value": {"stringValue": format!("task-{task}")}},
                        {"key": "celery.task_name", "value": {"stringValue": "process_order"}},
                    ],
                })
            };
            [
                span(task * 2 + 1, None, "apply_async/process_order", 4, "apply_async"),
                span(task * 2 + 2, Some(task * 2 + 1), "run/process_order", 5, "run"),
            ]
        })
        .collect();
    serde_json::json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

/// Each of its tasks was once judged together with the whole trace again, so that
/// 20,000 tasks took a minute.
#[test]
fn a_trace_that_fans_out_is_judged_once() {
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
    take(&mut watch.evidence, &handoffs(2_500, |_| 0));
    let events = watch.round(at(0), PACE);
    let shown = events.iter().filter(|event| matches!(event, Event::Traces { .. })).count();
    assert_eq!((shown, watch.take_not_shown()), (1, 0), "it is whole, and one trace");
    assert!(watch.is_at_rest());
}

/// What has a finding is looked at again in each round. What a round judged anyway was once
/// judged a second time by that, and its finding counted each hand-off twice.
#[test]
fn a_round_counts_no_hand_off_twice() {
    let case =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus/propagator_api_b3multi_worker_w3c");
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
    for (number, request) in (0..).zip(requests(&case)) {
        watch.set_time(at(20 * number));
        take(&mut watch.evidence, &request);
        watch.round(at(20 * number + 10), PACE);
    }
    let counts: Vec<_> = watch.findings().map(|finding| (finding.slug, finding.count)).collect();
    assert_eq!(counts, [("propagator-mismatch", 1)]);
}

/// A round that went on with the tasks of a long trace once judged that trace again, so
/// that as many rounds were needed as there were tasks.
#[test]
fn a_long_trace_is_not_judged_again_while_its_tasks_go_on() {
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
    take(&mut watch.evidence, &handoffs(10_000, |_| 0));
    let pace = Pace { work: Pace::WORK / 4, ..PACE };
    let mut rounds = 0;
    while !watch.is_at_rest() {
        watch.round(at(0), pace);
        rounds += 1;
        assert!(rounds < 30, "it never comes to rest");
    }
    assert!(rounds > 2, "{rounds}");
}

/// An export waits while a round judges: so a round judges only so much.
#[test]
fn what_finds_no_time_in_a_round_is_judged_in_the_next_one() {
    let mut watch = LiveJudge::new(SETTLE, MemoryPlan::for_evidence(ROOMY));
    take(&mut watch.evidence, &handoffs(10_000, |task| task));
    let pace = Pace { shown: usize::MAX, ..PACE };
    let mut shown = Vec::new();
    while !watch.is_at_rest() {
        let events = watch.round(at(0), pace);
        shown.push(events.iter().filter(|event| matches!(event, Event::Traces { .. })).count());
        assert!(shown.len() < 100, "it never comes to rest: {shown:?}");
    }
    assert!(shown.len() > 1 && shown.iter().sum::<usize>() == 10_000, "{shown:?}");
}
