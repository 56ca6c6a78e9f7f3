//! What real systems leave that looks like a fault, and is none.

use super::*;

#[test]
fn runs_of_one_trace_at_the_same_time() {
    // Two tasks of a group in a threaded worker, each with a hand-made span
    // nested in the instrumentor's: neither is the other's twin.
    let second = |id| run(0xaa, id).under(0xb1).remote().text("messaging.message.id", "t2").at(2_050, 3_050);
    let by_hand = |id, parent| span("worker", "work", "consumer", 0xaa, id).at(2_100, 2_900).under(parent);
    let scene = healthy().span(second(0xb5)).span(by_hand(0xb6, 0xb2)).span(by_hand(0xb7, 0xb5));
    is_silent(scene, "duplicate-consumer-spans");
}

#[test]
fn a_long_task_that_still_runs() {
    // Taken early, no result yet, its children arrived before itself.
    let scene = Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, scene::Look::worker)
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(span("worker", "step", "internal", 0xaa, 0xb9).at(2_000, 2_100).under(0xb2).local());
    is_healthy(scene);
}

/// Logfire announces each span when it begins, as a child of it.
#[test]
fn spans_that_are_announced() {
    let pending = |span: scene::SpanBuilder, of: u8| {
        span.numbered(0x7000 + u64::from(of))
            .under(of.into())
            .local()
            .text("logfire.span_type", "pending_span")
    };
    let announced = || {
        healthy()
            .span(pending(producer(0xaa, 0xb1).at(100, 100), 0xb1))
            .span(pending(run(0xaa, 0xb2).at(2_000, 2_000), 0xb2))
            // The request is open: nothing of it but this has come.
            .span(pending(span("api", "GET /stream", "server", 0xdd, 0xd1).at(600, 600), 0xd1))
    };
    is_healthy(announced());
    assert_eq!(announced().report().inputs.spans, 3);
}

#[test]
fn a_consumer_of_something_else() {
    let kafka =
        span("stream", "orders process", "consumer", 0xcc, 0xc1).at(0, 5).text("messaging.system", "kafka");
    is_healthy(healthy().span(kafka));
}

#[test]
fn a_consumer_of_a_stream_that_publishes_tasks() {
    let consumed = || {
        span("ingest", "events process", "consumer", 0xaa, 0xb0)
            .at(0, 500)
            .text("messaging.system", "redis")
            .process("ingest-1", 41)
    };
    let published = || producer(0xaa, 0xb1).under(0xb0).of("ingest").process("ingest-1", 41);
    let ran = || run(0xaa, 0xb2).under(0xb1).remote();
    is_healthy(Scene::default().span(consumed()).span(published()).span(ran()));
    // Its publishes are made by hand too, or a run of the instrumentor shows a worker.
    says(Scene::default().span(consumed()), "orphaned-consumer", Error);
    let worker = ran().of("ingest").process("ingest-1", 41);
    let scene = Scene::default().span(consumed()).span(published()).span(worker);
    says(scene, "orphaned-consumer", Error);
}

#[test]
fn a_nested_task_of_an_unsampled_trace_among_sampled_ones() {
    let off = "00-000000000000000000000000000000cc-00000000000000c1-00";
    let scene = Scene::default().look(1_000, |look| {
        look.ready(message("t1").header("traceparent", TRACEPARENT)).ready(
            message("t2")
                .header("traceparent", off)
                .header("parent_id", "t0")
                .header("origin", "gen9@worker"),
        )
    });
    is_silent_above_note(scene, "not-sampled");
}

#[test]
fn nobody_is_instrumented_and_tasks_call_tasks() {
    let scene = || {
        queued(message("t1"))
            .look(2_000, |look| look.ready(message("t2").header("parent_id", "t1").header("root_id", "t1")))
    };
    is_silent(scene(), "context-not-forwarded");
    says(scene(), "producer-not-instrumented", Error);
}

#[test]
fn a_fan_out_by_hand_on_a_route_that_publishes_each_time() {
    let context = |trace: u8| format!("00-{trace:032x}-{trace:016x}-01");
    let mut scene = Scene::default().look(1_000, |look| {
        (1..=2_u8).fold(look, |look, trace| {
            (1..=3).fold(look, |look, n| {
                look.ready(message(&format!("t{trace}{n}")).header("traceparent", context(trace)))
            })
        })
    });
    for trace in 1..=6_u8 {
        let start = 100 * u64::from(trace);
        scene = scene.span(span("api", "POST /orders", "server", trace, trace).at(start, start + 50));
    }
    // Four requests published nothing, as a request may; two built carriers of their own.
    let report = scene.report();
    let faults: Vec<_> = report.findings.iter().filter(|finding| finding.slug == "stale-carrier").collect();
    assert!(
        faults.iter().all(|finding| finding.handoffs.iter().all(|id| !id.starts_with("t1"))),
        "{faults:?}"
    );
}

#[test]
fn beat_scripts_and_direct_calls() {
    is_healthy(
        Scene::default().span(producer(0xaa, 0xb1).of("beat")).span(run(0xaa, 0xb2).under(0xb1).remote()),
    );
    is_healthy(
        Scene::default()
            .span(server())
            .span(span("api", "process", "internal", 0xaa, 0xb3).at(10, 20).under(0xb0)),
    );
    let eager = span("api", "run/work", "consumer", 0xaa, 0xb2)
        .at(10, 20)
        .under(0xb0)
        .text("celery.action", "run")
        .text("messaging.message.id", "t1");
    is_healthy(Scene::default().span(server()).span(eager));
}

fn is_silent_above_note(scene: Scene, slug: &str) {
    let report = scene.report();
    assert!(
        report.findings.iter().all(|finding| finding.slug != slug || finding.severity == Note),
        "{:?}",
        report.findings
    );
}
