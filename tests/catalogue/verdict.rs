//! What is said of the whole. A green tick for what was not seen would be a false
//! all-clear, and a verdict that never commits itself would be worthless.

use super::*;
use tracelink::model::Status::{self, Broken, Damaged, Healthy, NoEvidence, Unproven};

/// The status, and the reasons why it is unproven.
fn verdict(scene: Scene) -> (Status, Vec<(&'static str, u64)>) {
    let verdict = scene.report().verdict;
    let reasons = verdict.unproven.iter().map(|reason| (reason.reason, reason.count)).collect();
    if verdict.status == Unproven {
        assert_eq!(
            (verdict.slug, verdict.code, verdict.station, verdict.confidence),
            (None, None, None, None)
        );
    }
    (verdict.status, reasons)
}

fn is_green(scene: Scene) {
    assert_eq!(verdict(scene), (Healthy, vec![]));
}

fn is_unproven(scene: Scene, reason: &'static str) {
    assert_eq!(verdict(scene), (Unproven, vec![(reason, 1)]));
}

fn with_context() -> scene::MessageBuilder {
    message("t1").header("traceparent", TRACEPARENT)
}

#[test]
fn a_hand_off_that_was_seen_on_both_sides_is_healthy() {
    is_green(healthy());
    let report = healthy().report();
    assert_eq!((report.inputs.handoffs, report.inputs.handoffs_whole), (1, 1));
}

#[test]
fn one_that_was_seen_on_one_side_is_unproven() {
    is_unproven(published_alone(), "run-not-seen");
    assert_eq!(published_alone().report().inputs.handoffs_whole, 0);
    // A fault beside it is a fault, and what could not be told is kept.
    let beside = published_alone().span(run(0xcc, 0xc2).text("messaging.message.id", "t2"));
    assert_eq!(verdict(beside).0, Broken);
}

#[test]
fn spans_without_a_task_prove_nothing_of_tasks() {
    let served = Scene::default().span(server());
    assert_eq!(verdict(served), (Unproven, vec![("no-handoff-seen", 0)]));
    assert_eq!(verdict(Scene::default()).0, NoEvidence);
}

/// Made by hand, or cut down by a collector: nothing of it is said to lack an instrumentor.
#[test]
fn a_run_in_the_trace_of_a_request_shows_that_its_context_was_handed_over() {
    let ran = span("worker", "work", "consumer", 0xaa, 0xc1).at(2_000, 3_000).under(0xb0).remote();
    let reason = Scene::default().span(server()).span(ran).report().verdict.unproven[0].clone();
    assert_eq!(reason.reason, "no-handoff-seen");
    assert!(reason.what.starts_with("runs were seen"), "{}", reason.what);
    let elsewhere = Scene::default().span(server()).span(span("worker", "work", "consumer", 0xcc, 0xc1));
    let what = elsewhere.report().verdict.unproven[0].what;
    assert!(!what.starts_with("runs were seen"), "{what}");
}

/// The reason why there is no run is seen.
#[test]
fn a_hand_off_without_a_run_is_whole_where_the_reason_is_seen() {
    let sent = |look: fn(scene::Look) -> scene::Look| published_alone().look(9_000, look);
    is_green(sent(|look| look.worker().ready(with_context())));
    is_green(sent(|look| look.worker().held(with_context())));
    is_green(sent(|look| look.result("t1", json!({"status": "STARTED"}))));
    is_green(sent(|look| look.result("t1", json!({"status": "REVOKED"}))));
    let unsampled = TRACEPARENT.replace("-01", "-00");
    let scene = Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", &*unsampled)))
        .look(9_000, scene::Look::worker)
        .span(server());
    assert_ne!(verdict(scene).0, Unproven);
}

/// In a queue the question ends with the message.
#[test]
fn queues_alone_are_healthy_where_each_context_can_be_read() {
    is_green(queued(with_context()));
    is_green(queued(message("t1").header("celery_beat_task", true)));
    assert_ne!(verdict(queued(message("t1"))).0, Healthy);
}

#[test]
fn a_warning_alone_is_damage() {
    let nameless = Scene::default().span(server().of("unknown_service:python3"));
    assert_eq!(verdict(nameless).0, Damaged);
}

/// What may have been on its way when the watch ended is not told for lost.
#[test]
fn the_end_of_a_watch_is_no_evidence_of_absence() {
    let published = || Scene::watched().span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let taken = || {
        published()
            .look(1_000, |look| look.worker().ready(with_context()))
            .look(2_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
    };
    let orphan = || taken().span(run(0xcc, 0xc2));
    let lost = || Scene::watched().span(run(0xaa, 0xb2).under(0xb1).remote());
    let manual = || {
        Scene::watched().span(server()).span(span("worker", "work", "consumer", 0xdd, 0xd1).at(2_000, 3_000))
    };
    let said = |scene: Scene, seconds: u64| {
        let verdict = scene.report_after(seconds).verdict;
        let reasons: Vec<_> = verdict.unproven.iter().map(|reason| (reason.reason, reason.count)).collect();
        (verdict.status, reasons)
    };
    let unsettled = (Unproven, vec![("not-settled", 1)]);
    for scene in [&taken as &dyn Fn() -> Scene, &orphan, &lost] {
        assert_eq!(said(scene(), 2), unsettled);
        assert_eq!(said(scene(), 7).0, Broken);
    }
    assert_eq!(said(published(), 2), unsettled);
    assert_eq!(said(published(), 7), (Unproven, vec![("run-not-seen", 1)]));
    // A hand-made root, for which no hand-off speaks.
    assert_eq!(said(manual(), 2).0, Unproven);
    assert!(manual().report_after(2).findings.is_empty());
    assert!(!manual().report_after(7).findings.is_empty());
}

#[test]
fn what_is_whole_does_not_wait_for_the_end() {
    let whole = Scene::watched()
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    let report = whole.report_after(1);
    assert_eq!((report.verdict.status, report.inputs.handoffs_whole), (Healthy, 1));
    // Beside a step of its trace whose parent is still to come.
    let growing = Scene::watched()
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote())
        .span(span("worker", "step", "internal", 0xaa, 0xb5).at(2_100, 2_200).under(0xb9).local());
    let report = growing.report_after(1);
    assert_eq!((report.verdict.status, report.inputs.handoffs_whole), (Healthy, 1), "{:?}", report.findings);
    let nothing = Scene::watched().listened(2).report_after(2);
    assert_eq!((nothing.verdict.status, nothing.verdict.slug), (NoEvidence, Some("nothing-received")));
}

#[test]
fn a_service_whose_request_has_not_ended_is_not_told_for_one_without() {
    let called = || {
        Scene::watched()
            .span(span("shop", "POST", "client", 0xcc, 0xc1).at(0, 600).text("peer.service", "api"))
            .span(producer(0xaa, 0xb1))
    };
    let says = |seconds: u64| {
        called().report_after(seconds).findings.iter().any(|found| found.slug == "request-not-instrumented")
    };
    assert!(!says(2) && says(7));
}
