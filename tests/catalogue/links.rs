//! Roots that link to where they come from, and those that do not.

use super::*;

const TRACE: &str = "000000000000000000000000000000aa";

/// A message that was taken.
fn taken(message: scene::MessageBuilder) -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message))
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
}

/// A request that published, and a message that was taken.
fn sent(message: scene::MessageBuilder) -> Scene {
    taken(message).span(server())
}

fn instrumented() -> Scene {
    sent(message("t1").header("traceparent", TRACEPARENT)).span(producer(0xaa, 0xb1).under(0xb0))
}

/// The hand-off, with what was measured of it.
fn whole(scene: Scene) {
    let report = scene.report();
    let faults: Vec<_> = report.findings.iter().filter(|finding| finding.severity < Note).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    for handoff in &report.handoffs {
        assert!(!handoff.consumers.is_empty() && handoff.finding.is_none(), "{handoff:#?}");
        let stations = handoff.stations;
        for station in tracelink::model::Station::ALL {
            assert_eq!(stations.get(station), tracelink::model::StationState::Intact, "{station:?}");
        }
    }
    let metrics = report.metrics;
    assert!(metrics.end_to_end_ms.is_some(), "end to end");
}

#[test]
fn a_run_that_links_to_its_producer_is_joined() {
    // `use_span_links` of the instrumentor, and a span made by hand.
    let linked = || instrumented().span(run(0xcc, 0xb2).link(0xaa, 0xb1));
    whole(linked());
    let metrics = linked().report().metrics;
    assert_eq!(metrics.queue_wait_ms.map(|wait| wait.p50), Some(1_890.0));
    assert_eq!(metrics.end_to_end_ms.map(|all| all.p50), Some(3_000.0));
    for kind in ["consumer", "internal", "client"] {
        let by_hand = span("worker", "work", kind, 0xcc, 0xb2).at(2_000, 3_000).link(0xaa, 0xb1);
        whole(instrumented().span(by_hand));
    }
    // Nothing of the sending side was seen.
    is_healthy(Scene::default().span(run(0xcc, 0xb2).link(0xaa, 0xb1)));
    is_healthy(
        Scene::default().span(span("worker", "work", "consumer", 0xcc, 0xb2).at(0, 9).link(0xaa, 0xb1)),
    );
}

#[test]
fn a_link_to_something_else_leaves_a_root_a_root() {
    let elsewhere = || instrumented().span(span("worker", "warm up", "internal", 0xdd, 0xd1).at(0, 9));
    says(elsewhere().span(run(0xcc, 0xb2).link(0xdd, 0xd1)), "propagator-mismatch", Error);
    let by_hand = span("worker", "work", "consumer", 0xcc, 0xb2).at(2_000, 3_000).link(0xdd, 0xd1);
    says(elsewhere().span(by_hand), "extract-result-ignored", Error);
    // A publish that links to nothing of its request is outside of it.
    let alone = || Scene::default().span(server());
    says(alone().span(producer(0xcc, 0xb1).link(0xee, 0xe1)), "context-lost-before-publish", Error);
    is_silent(alone().span(producer(0xcc, 0xb1).link(0xaa, 0xb0)), "context-lost-before-publish");
}

#[test]
fn ids_of_an_applications_own_join_what_links_to_them() {
    let shapes = [
        json!({"trace_id": TRACE, "span_id": "00000000000000b0"}),
        json!({"telemetry": {"links": [{"context": {"trace_id": TRACE, "span_id": "00000000000000b0"}}]}}),
        json!({"parent": format!("{TRACE}:00000000000000b0")}),
    ];
    for shape in shapes {
        let carried = || message("t1").kwargs(shape.clone());
        let call = |instance: &str| {
            span("shop", "POST hook", "client", 0xcc, 0xb2).at(2_000, 3_000).instance(instance)
        };
        let api = || taken(carried()).span(server().of("shop").instance("a"));
        whole(sent(carried()).span(call("b").link(0xaa, 0xb0)));
        // One name for both, told apart by their instance.
        whole(api().span(call("b").link(0xaa, 0xb0)));
        says(queued(carried()), "context-in-body", Note);
        says(queued(carried()).span(server()).span(run(0xcc, 0xb2)), "context-in-body", (Error, Likely));
    }
    // The article's own ids, as integers of 128 bits.
    let big = message("t1").kwargs(json!({"ctx": {
        "trace_id": "277896087055150629367166123606433568090", "span_id": 10_392_982_573_381_266_718_u64,
    }}));
    says(queued(big), "context-in-body", Note);
    // Small numbers are no ids.
    says(
        queued(message("t1").kwargs(json!({"trace_id": 7, "span_id": 8}))),
        "producer-not-instrumented",
        Error,
    );
}

#[test]
fn a_batch_with_links_is_whole_wherever_they_are() {
    let id = |n: u8| format!("t{n}");
    let context = |n: u8| format!("00-{n:032x}-{:016x}-01", 0xb0 + u64::from(n));
    let sent = || {
        let mut scene = Scene::default()
            .look(1_000, |look| {
                (1..=3).fold(look, |look, n| look.ready(message(&id(n)).header("traceparent", context(n))))
            })
            .look(9_000, |look| {
                (1..=3).fold(look.worker(), |look, n| look.result(&id(n), json!({"status": "SUCCESS"})))
            });
        for n in 1..=3_u8 {
            let at = 100 * u64::from(n);
            scene = scene
                .span(span("api", "POST /hits", "server", n, 0xe0 + n).at(at, at + 50))
                .span(producer(n, 0xb0 + n).under(0xe0 + u64::from(n)).text("messaging.message.id", &id(n)));
        }
        scene
    };
    let batch = || {
        span("worker", "run/work", "consumer", 0xcc, 0xc1)
            .at(2_000, 3_000)
            .text("celery.action", "run")
            .text("celery.task_name", "work")
    };
    let links = || [(1, 0xb1), (2, 0xb2), (3, 0xb3)];
    whole(sent().span(batch().links(&links())));
    for kind in ["consumer", "internal"] {
        let below = span("worker", "store", kind, 0xcc, 0xc2).at(2_100, 2_900).under(0xc1);
        whole(sent().span(batch()).span(below.links(&links())));
    }
    // What another task links to is no run of it.
    let gathers = run(0xcc, 0xc1).text("messaging.message.id", "t9").text("celery.task_name", "gather");
    let scene = sent().span(gathers.links(&links()));
    says(scene, "worker-silent", Error);
}

#[test]
fn roots_with_links_of_a_worker_without_an_instrumentor() {
    // Its calls link to the request, and not to the message.
    let call = || span("shop", "POST hook", "client", 0xcc, 0xb2).at(2_000, 3_000).link(0xaa, 0xb0);
    let one_name = sent(message("t1").header("traceparent", TRACEPARENT))
        .span(server().of("shop").instance("a"))
        .span(producer(0xaa, 0xb1).under(0xb0).of("shop").instance("a"))
        .span(call().instance("b"));
    says(one_name, "worker-not-instrumented", (Error, Likely));
}
