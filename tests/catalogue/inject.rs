//! 1xx: what a producer leaves out.

use super::*;

#[test]
fn tl101_producer_not_instrumented() {
    let scene = || queued(message("t1")).span(server()).span(run(0xcc, 0xb2));
    // A script may have published it: nothing ties it to the API.
    says(scene(), "producer-not-instrumented", (Error, Likely));
    let of_process =
        |host: &str, pid: i64| queued(message("t1")).span(server().process(host, pid)).span(run(0xcc, 0xb2));
    says(of_process("web-1", 7), "producer-not-instrumented", (Error, Certain));
    for (host, pid) in [("web-1", 8), ("web-2", 7)] {
        says(of_process(host, pid), "producer-not-instrumented", (Error, Likely));
    }
    is_silent(
        queued(message("t1").header("celery_beat_task", true)).span(server()),
        "producer-not-instrumented",
    );
    is_silent(queued(message("t1").header("traceparent", TRACEPARENT)), "producer-not-instrumented");
}

#[test]
fn tl101_producer_not_instrumented_of_a_message_that_was_never_seen() {
    let done = || json!({"status": "SUCCESS", "date_done": "2026-11-22T19:49:57.000000+00:00"});
    let ran = |scene: Scene| scene.look(9_000, |look| look.worker().result("t1", done()));
    // Neither side has the instrumentor: the request pushed onto the list itself.
    let push =
        || span("api", "LPUSH", "client", 0xaa, 0xb3).at(100, 101).under(0xb0).text("db.system", "redis");
    says(ran(Scene::default().span(server()).span(push())), "producer-not-instrumented", (Error, Likely));
    // A request beside a task that ran is no sign.
    is_silent(ran(Scene::default().span(server())), "producer-not-instrumented");
    // Nor is a push below a PRODUCER, or by whoever publishes with an instrumentor.
    let instrumented = || Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let other = |scene: Scene| scene.look(9_000, |look| look.worker().result("t2", done()));
    is_silent(other(instrumented().span(push())), "producer-not-instrumented");
    is_silent(other(instrumented().span(push().under(0xb1))), "producer-not-instrumented");
    // Another command, or a worker's own push.
    let get = span("api", "GET", "client", 0xaa, 0xb3).at(100, 101).under(0xb0);
    is_silent(ran(Scene::default().span(server()).span(get)), "producer-not-instrumented");
    // The run names the process that serves the requests.
    let of_process = |pid: i64| Scene::default().span(server().process("web-1", pid)).span(run(0xcc, 0xb2));
    says(of_process(7), "producer-not-instrumented", (Error, Likely));
    is_silent(of_process(8), "producer-not-instrumented");
    is_silent(
        of_process(7).span(producer(0xaa, 0xb1).under(0xb0).process("web-1", 7)),
        "producer-not-instrumented",
    );
}

#[test]
fn what_an_api_without_an_instrumentor_leaves_is_unproven_and_names_tl101() {
    use tracelink::model::Status;
    let reasons = |scene: Scene| {
        let report = scene.report();
        let reasons: Vec<_> =
            report.verdict.unproven.iter().map(|gap| (gap.reason, gap.what.contains("TL101"))).collect();
        (report.verdict.status, reasons)
    };
    let result = || json!({"status": "SUCCESS"});
    let ran = |scene: Scene| scene.look(9_000, |look| look.worker().result("t1", result()));
    assert_eq!(
        reasons(ran(Scene::default().span(server()))),
        (Status::Unproven, vec![("publisher-not-seen", true)])
    );
    let worker = || span("worker", "step", "internal", 0xcc, 0xb2).at(2_000, 2_100);
    assert_eq!(
        reasons(ran(Scene::default().span(worker()))),
        (Status::Unproven, vec![("message-not-seen", false)])
    );
    assert_eq!(reasons(Scene::default().span(server())), (Status::Unproven, vec![("no-handoff-seen", true)]));
    assert_eq!(
        reasons(Scene::default().span(worker())),
        (Status::Unproven, vec![("no-handoff-seen", false)])
    );
}

#[test]
fn tl102_producer_sdk_disabled() {
    says(queued(message("t1")).span(run(0xcc, 0xb2)), "producer-sdk-disabled", Error);
    says(queued(message("t1").header("baggage", "user=1")), "producer-sdk-disabled", Error);
    is_silent(queued(message("t1")).span(server()), "producer-sdk-disabled");
    // A span of the very process that published: an SDK is at work there.
    let step = || span("shop", "step", "internal", 0xcc, 0xb2).at(500, 600);
    let of_process = |pid: i64| {
        queued(message("t1"))
            .look(9_000, scene::Look::worker)
            .span(step().at(2_000, 2_100).process("web-1", pid))
    };
    is_silent(of_process(7), "producer-sdk-disabled");
    says(of_process(8), "producer-sdk-disabled", Error);
    // It ended before there was any worker, so it is no worker's.
    let before = || queued(message("t1")).look(9_000, scene::Look::worker).span(step());
    is_silent(before(), "producer-sdk-disabled");
    says(before(), "producer-not-instrumented", Error);
}

#[test]
fn tl103_empty_carrier() {
    for empty in [json!("{}"), json!({}), json!("")] {
        says(queued(message("t1").header("trace_context", empty)), "empty-carrier", (Error, Likely));
    }
    let empty = |id: &str| message(id).header("trace_context", "{}");
    // Another message of the same process was injected into.
    let one_of_two = Scene::default()
        .look(1_000, |look| look.ready(empty("t1")).ready(message("t2").header("traceparent", TRACEPARENT)));
    says(one_of_two, "empty-carrier", (Error, Certain));
    // Beat has nothing to hand over.
    is_silent(queued(empty("t1").header("celery_beat_task", true)), "empty-carrier");
    is_silent(queued(message("t1").header("meta", json!({}))), "empty-carrier");
    is_silent(queued(message("t1").header("traceparent", json!(null))), "empty-carrier");
}

#[test]
fn tl105_protocol_1() {
    says(queued(message("t1").protocol_1()), "protocol-1", Error);
    // A flat header that the application wrote itself is found.
    let flat = || message("t1").protocol_1().header("traceparent", TRACEPARENT);
    is_silent(queued(flat()), "protocol-1");
    is_healthy(queued(flat()).span(server()).span(run(0xaa, 0xb2).under(0xb0).remote()));
    // In any other shape it is not, unless code of its own reads it.
    let carrier = json!({"traceparent": TRACEPARENT});
    for other in [
        message("t1").protocol_1().header("trace_context", json!(carrier.to_string()).to_string()),
        message("t1").protocol_1().header("headers", carrier.clone()),
        message("t1").protocol_1().kwargs(json!({"ctx": carrier})),
        message("t1").protocol_1().property("traceparent", TRACEPARENT),
    ] {
        let scene = queued(other).span(server()).span(run(0xcc, 0xb2));
        let report = scene.report();
        let first = report.findings.first().map(|found| (found.slug, found.severity));
        assert_eq!(first, Some(("protocol-1", Error)));
    }
    let nested = || message("t1").protocol_1().header("headers", json!({"traceparent": TRACEPARENT}));
    says(queued(nested()), "protocol-1", Note);
    is_silent(queued(nested()).span(server()).span(run(0xaa, 0xb2).under(0xb1).remote()), "protocol-1");
    let spans = |hostname: &str| {
        Scene::default()
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(run(0xcc, 0xb2).text("celery.hostname", hostname))
    };
    says(spans("celery@worker-1"), "protocol-1", Error);
    is_silent(spans("gen7@web-1"), "protocol-1");
}

#[test]
fn tl106_context_lost_on_retry() {
    let retried = |scene: Scene, again: scene::MessageBuilder| {
        scene.look(2_000, |look| look.worker().held(again.retry(1)))
    };
    let first =
        || queued(message("t1").header("trace_context", json!({"traceparent": TRACEPARENT}).to_string()));
    says(retried(first(), message("t1")), "context-lost-on-retry", Error);
    is_silent(retried(first(), message("t1").header("traceparent", TRACEPARENT)), "context-lost-on-retry");
    is_silent(retried(queued(message("t1")), message("t1")), "context-lost-on-retry");
    // The worker's instrumentor was at work, with a propagator that writes no trace.
    let instrumented = retried(first(), message("t1"))
        .span(server())
        .span(run(0xaa, 0xb2).under(0xb1).remote())
        .span(producer(0xaa, 0xb3).under(0xb2).of("worker").at(2_900, 2_910));
    is_silent(instrumented, "context-lost-on-retry");
}

#[test]
fn tl107_context_not_forwarded() {
    says(queued(message("t2").header("parent_id", "t1")), "context-not-forwarded", Error);
    is_silent(queued(message("t2").header("parent_id", "t2").retry(1)), "context-not-forwarded");
    // The worker's instrumentor was at work, with a propagator that writes no trace.
    let instrumented = || {
        queued(message("t2").header("parent_id", "t1"))
            .span(server())
            .span(producer(0xaa, 0xb3).text("messaging.message.id", "t2").under(0xb0).of("worker"))
    };
    is_silent(instrumented(), "context-not-forwarded");
    says(instrumented(), "producer-propagator-omits-trace", Error);
    let chain = |headers: serde_json::Value| {
        message("t1")
            .header("trace_context", json!({"traceparent": TRACEPARENT}).to_string())
            .chain(json!({"task": "next", "options": {"headers": headers}}))
    };
    says(queued(chain(json!(null))), "context-not-forwarded", Error);
    is_silent(queued(chain(json!({"traceparent": TRACEPARENT}))), "context-not-forwarded");
    // Under the instrumentor such an embed is healthy: the worker injects.
    is_silent(queued(chain(json!(null)).header("traceparent", TRACEPARENT)), "context-not-forwarded");
}

#[test]
fn tl108_some_producers_not_instrumented() {
    let two = |other: scene::MessageBuilder| {
        Scene::default().look(1_000, |look| {
            look.ready(message("t1").header("traceparent", TRACEPARENT).header("origin", "gen1@web-1"))
                .ready(message("t2").header("origin", "gen2@web-2"))
                .ready(other)
        })
    };
    says(two(message("t3").header("origin", "gen2@web-2")), "some-producers-not-instrumented", Error);
    // An origin that sometimes sends context is instrumented.
    is_silent(
        two(message("t3").header("origin", "gen2@web-2").header("traceparent", TRACEPARENT)),
        "some-producers-not-instrumented",
    );
    // Applications with different prefixes have nothing to do with each other.
    let prefixed = |queue: &str| {
        Scene::default().look(1_000, |look| {
            look.ready(message("t1").header("traceparent", TRACEPARENT).header("origin", "gen1@web-1"))
                .ready_in(queue, message("t2").header("origin", "gen2@web-2"))
        })
    };
    is_silent(prefixed("billing:celery"), "some-producers-not-instrumented");
    says(prefixed("bulk"), "some-producers-not-instrumented", (Error, Likely));
}

/// An API that hands its task over, and a process that publishes the same without
/// context, at those times. The first message of each lay in the queue.
pub fn beside_an_api(task: &str, starts: &[u64]) -> Scene {
    let mut scene = Scene::default()
        .look(1_000, |look| {
            look.ready(message("a1").header("traceparent", TRACEPARENT).header("origin", "gen1@web-1"))
                .ready(message("s0").header("origin", "gen2@web-1").header("task", task))
        })
        .span(server().process("web-1", 1))
        .span(producer(0xaa, 0xb1).under(0xb0).text("messaging.message.id", "a1").process("web-1", 1))
        .span(
            run(0xaa, 0xb2)
                .under(0xb1)
                .remote()
                .text("messaging.message.id", "a1")
                .text("celery.hostname", "gen1@web-1"),
        );
    for (number, at) in (0_u8..).zip(starts) {
        let tick = run(0x10 + number, 0x10 + number)
            .at(*at, at + 9)
            .text("messaging.message.id", &format!("s{number}"))
            .text("celery.task_name", task)
            .text("celery.hostname", "gen2@web-1");
        scene = scene.span(tick);
    }
    scene
}

pub const EVEN: [u64; 6] = [9_990, 11_500, 13_502, 15_501, 17_504, 19_500];
const UNEVEN: [u64; 6] = [9_990, 11_500, 12_900, 16_501, 17_204, 21_500];

#[test]
fn a_scheduler_beside_an_api_has_no_context_to_send() {
    let slug = "some-producers-not-instrumented";
    // What it ticks is what the API publishes too.
    says(beside_an_api("work", &EVEN), slug, Note);
    is_healthy(beside_an_api("work", &EVEN));
    is_healthy(beside_an_api("tick", &EVEN));
    // From the queue alone it is said: what speaks against it is said, too.
    let retracted = beside_an_api("work", &EVEN).report().retracted;
    let told: Vec<_> = retracted.iter().map(|retracted| (retracted.slug, retracted.count)).collect();
    assert_eq!(told, [(slug, 1)]);
    assert!(retracted[0].evidence.contains("even intervals"));
    assert!(beside_an_api("work", &UNEVEN).report().retracted.is_empty());
    for task in ["work", "tick"] {
        says(beside_an_api(task, &UNEVEN), slug, (Error, Likely));
        // One cause is told once, of messages that were seen and of others.
        let report = beside_an_api(task, &UNEVEN).report();
        let told: Vec<_> = report.findings.iter().filter(|finding| finding.severity < Note).collect();
        assert_eq!((told.len(), told[0].count), (1, 6), "{told:#?}");
        // RedBeat keeps its entries in the broker.
        let entry = |name: &str| json!({"name": "each", "task": name, "schedule": {"every": 2}}).to_string();
        let of = |name: &str| {
            let entry = entry(name);
            beside_an_api(task, &UNEVEN)
                .look(2_000, |look| look.worker().hash("redbeat:each", "definition", &entry))
        };
        says(of(task), slug, Note);
        says(of("another"), slug, (Error, Likely));
    }
}

#[test]
fn an_api_that_is_polled_is_no_scheduler() {
    // Every two seconds a request, which publishes nothing that is seen, and the
    // run right after it.
    let polled = |scene: Scene| {
        (0_u8..).zip(EVEN).fold(scene, |scene, (number, at)| {
            let request = span("api", "POST /poll", "server", 0x30 + number, 0x30 + number);
            scene.span(request.at(at - 40, at - 5))
        })
    };
    for task in ["work", "tick"] {
        says(polled(beside_an_api(task, &EVEN)), "some-producers-not-instrumented", Error);
    }
    // The process that publishes is one that serves.
    let serves = span("api", "GET /", "server", 0x30, 0x30).at(0, 5).process("web-1", 2);
    says(beside_an_api("tick", &EVEN).span(serves), "some-producers-not-instrumented", Error);
    // Another process that is asked for its health each ten seconds is none.
    let health = span("api", "GET /health", "server", 0x30, 0x30).at(10_000, 10_001).process("web-1", 1);
    is_healthy(beside_an_api("tick", &EVEN).span(health));
}

#[test]
fn tl110_request_not_instrumented() {
    let script = || {
        Scene::default()
            .span(span("cron", "import", "internal", 1, 1).at(0, 9))
            .span(producer(2, 2).of("cron"))
    };
    says(script(), "request-not-instrumented", Note);
    let called = script().span(span("shop", "POST", "client", 3, 3).at(0, 9).text("peer.service", "cron"));
    says(called, "request-not-instrumented", Warning);
    is_silent(healthy(), "request-not-instrumented");
}

#[test]
fn tl113_producer_propagator_omits_trace() {
    let sent = |message: scene::MessageBuilder| {
        queued(message).span(server()).span(producer(0xaa, 0xb1).under(0xb0))
    };
    // A receiver of before_task_publish may have taken it out again.
    says(sent(message("t1")), "producer-propagator-omits-trace", (Error, Likely));
    let baggage = message("t1").header("baggage", "tenant=7");
    says(sent(baggage), "producer-propagator-omits-trace", (Error, Certain));
    is_silent(healthy(), "producer-propagator-omits-trace");
    // Of another task of the same producer only the spans were seen.
    let other = |span: scene::SpanBuilder| span.text("messaging.message.id", "t2");
    let found = sent(message("t1"))
        .span(other(producer(0xaa, 0xb2).under(0xb0)))
        .span(other(run(0xcc, 0xb3)))
        .report()
        .findings;
    let loud: Vec<_> = found.iter().filter(|found| found.severity < Note).collect();
    assert_eq!(
        loud.iter().map(|found| (found.slug, found.count)).collect::<Vec<_>>(),
        [("producer-propagator-omits-trace", 2)]
    );
}
