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
