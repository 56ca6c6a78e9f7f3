//! 9xx and the last resort: what the tree itself shows.

use super::*;

#[test]
fn tl901_to_903_the_tree() {
    let circle = Scene::default()
        .span(span("api", "a", "internal", 1, 1).at(0, 5).under(2))
        .span(span("api", "b", "internal", 1, 2).at(0, 5).under(1));
    says(circle, "span-cycle", Warning);
    says(
        Scene::default().span(span("api", "self", "internal", 1, 1).at(0, 5).under(1)),
        "span-cycle",
        Warning,
    );
    let skewed = Scene::default()
        .span(server().at(5_000, 5_500))
        .span(producer(0xaa, 0xb1).under(0xb0).at(5_100, 5_110))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    says(skewed, "clock-skew", Note);
    is_silent(healthy(), "span-cycle");
    is_silent(healthy(), "clock-skew");
    is_silent(healthy(), "evidence-evicted");
    says(healthy().evicted(3), "evidence-evicted", (Note, Certain));
}

#[test]
fn tl000_orphaned_consumer() {
    says(Scene::default().span(run(0xcc, 0xb2)), "orphaned-consumer", Error);
    says(
        Scene::default().span(span("worker", "work", "consumer", 0xcc, 0xb2).at(0, 5)),
        "orphaned-consumer",
        Error,
    );
    is_silent(healthy(), "orphaned-consumer");
    // That a message was waiting when it was last seen says nothing of further runs.
    let waiting = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(run(0xaa, 0xb2).under(0xb1).remote())
    };
    let again = span("worker", "work", "consumer", 0xcc, 0xb5).at(4_000, 4_100);
    says(waiting().span(again), "orphaned-consumer", Error);
    is_silent(waiting(), "orphaned-consumer");
    // Beat has no trace to continue.
    is_healthy(queued(message("t1").header("celery_beat_task", true)).span(run(0xcc, 0xb2)));
}

#[test]
fn too_few_handoffs() {
    says(healthy().expecting(2), "too-few-handoffs", (Error, Certain));
    // One that was seen on one side only is no whole one.
    says(published_alone().expecting(1), "too-few-handoffs", (Error, Certain));
    is_silent(healthy().expecting(1), "too-few-handoffs");
    is_silent(published_alone(), "too-few-handoffs");
    // Its cause comes before it, though that is only likely.
    let broken = queued(message("t1")).span(server()).span(run(0xcc, 0xb2)).expecting(1).report();
    let order: Vec<_> = broken.findings.iter().map(|found| (found.slug, found.confidence)).collect();
    assert_eq!(order[..2], [("producer-not-instrumented", Likely), ("too-few-handoffs", Certain)]);
}
