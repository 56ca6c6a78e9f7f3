//! Every diagnosis: a scene in which it speaks, and one beside it in which it
//! must not. The corpus holds what real programs left; this holds the rest of
//! the catalogue, and the borders of each rule.

mod scene;

use scene::{Scene, message, span};
use serde_json::json;
use tracelink::model::Severity::{self, Error, Note, Warning};

const TRACEPARENT: &str = "00-000000000000000000000000000000aa-00000000000000b1-01";

/// What a healthy request leaves: SERVER b0, PRODUCER b1, run b2 in the trace aa.
fn healthy() -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
        .span(span("api", "POST /orders", "server", 0xaa, 0xb0).at(0, 500))
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote())
}

fn producer(trace: u8, id: u8) -> scene::SpanBuilder {
    span("api", "apply_async/work", "producer", trace, id)
        .at(100, 110)
        .text("celery.action", "apply_async")
        .text("messaging.message.id", "t1")
        .text("celery.task_name", "work")
        .text("messaging.destination", "celery")
}

fn run(trace: u8, id: u8) -> scene::SpanBuilder {
    span("worker", "run/work", "consumer", trace, id)
        .at(2_000, 3_000)
        .text("celery.action", "run")
        .text("celery.state", "SUCCESS")
        .text("messaging.message.id", "t1")
        .text("celery.task_name", "work")
        .text("celery.hostname", "gen7@web-1")
}

fn server() -> scene::SpanBuilder {
    span("api", "POST /orders", "server", 0xaa, 0xb0).at(0, 500)
}

fn says(scene: Scene, slug: &str, severity: Severity) {
    let report = scene.report();
    let found = report.findings.iter().find(|finding| finding.slug == slug);
    let said: Vec<_> = report.findings.iter().map(|finding| (finding.slug, finding.severity)).collect();
    assert!(
        found.is_some_and(|finding| finding.severity == severity),
        "wanted {slug} as {severity:?}, got {said:?}"
    );
    let found = found.expect("checked above");
    assert!(!found.evidence.is_empty(), "{slug} quotes nothing");
    assert!(!found.fix.is_empty() || severity == Note, "{slug} has no fix");
}

fn is_silent(scene: Scene, slug: &str) {
    let report = scene.report();
    assert!(
        report.findings.iter().all(|finding| finding.slug != slug),
        "{slug} speaks: {:?}",
        report.findings
    );
}

/// Nothing at warning or above.
fn is_healthy(scene: Scene) {
    let report = scene.report();
    let faults: Vec<_> = report.findings.iter().filter(|finding| finding.severity < Note).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

fn queued(message: scene::MessageBuilder) -> Scene {
    Scene::default().look(1_000, |look| look.ready(message))
}

#[test]
fn a_healthy_request_is_healthy() {
    is_healthy(healthy());
}

#[test]
fn tl101_producer_not_instrumented() {
    let scene = || queued(message("t1")).span(server()).span(run(0xcc, 0xb2));
    says(scene(), "producer-not-instrumented", Error);
    is_silent(
        queued(message("t1").header("celery_beat_task", true)).span(server()),
        "producer-not-instrumented",
    );
    is_silent(queued(message("t1").header("traceparent", TRACEPARENT)), "producer-not-instrumented");
}

#[test]
fn tl102_producer_sdk_disabled() {
    says(queued(message("t1")).span(run(0xcc, 0xb2)), "producer-sdk-disabled", Error);
    says(queued(message("t1").header("baggage", "user=1")), "producer-sdk-disabled", Error);
    is_silent(queued(message("t1")).span(server()), "producer-sdk-disabled");
}

#[test]
fn tl103_empty_carrier() {
    for empty in [json!("{}"), json!({}), json!("")] {
        says(queued(message("t1").header("trace_context", empty)), "empty-carrier", Error);
    }
    is_silent(queued(message("t1").header("meta", json!({}))), "empty-carrier");
    is_silent(queued(message("t1").header("traceparent", json!(null))), "empty-carrier");
}

#[test]
fn tl104_context_lost_before_publish() {
    says(Scene::default().span(server()).span(producer(0xcc, 0xb1)), "context-lost-before-publish", Error);
    is_silent(Scene::default().span(producer(0xcc, 0xb1)), "context-lost-before-publish");
    // A scheduler inside a busy API: some request is always open.
    let mut busy = Scene::default().span(producer(0xcc, 0xb1));
    for request in 0..40_u8 {
        let start = u64::from(request) * 10;
        busy = busy.span(span("api", "GET /", "server", request + 1, request + 1).at(start, start + 12));
    }
    is_silent(busy, "context-lost-before-publish");
}

#[test]
fn tl105_protocol_1() {
    says(queued(message("t1").protocol_1()), "protocol-1", Error);
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
}

#[test]
fn tl107_context_not_forwarded() {
    says(queued(message("t2").header("parent_id", "t1")), "context-not-forwarded", Error);
    is_silent(queued(message("t2").header("parent_id", "t2").retry(1)), "context-not-forwarded");
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
}

#[test]
fn tl109_stale_carrier() {
    let requests = |others: u8| {
        let mut scene = Scene::default().look(1_000, |look| {
            (1..=3).fold(look, |look, n| {
                look.ready(
                    message(&format!("t{n}"))
                        .header("traceparent", "00-000000000000000000000000000000aa-00000000000000b0-01"),
                )
            })
        });
        scene = scene.span(server());
        for other in 1..=others {
            let start = 600 * u64::from(other);
            scene = scene.span(span("api", "POST /orders", "server", other, other).at(start, start + 100));
        }
        scene
    };
    says(requests(2), "stale-carrier", Error);
    says(
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(1_000, |look| look.ready(message("t2").header("traceparent", TRACEPARENT))),
        "stale-carrier",
        Note,
    );
    // One request that fans out by hand: nobody else published nothing.
    is_silent(requests(0), "stale-carrier");
    is_silent(healthy(), "stale-carrier");
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
fn tl111_incoming_context_forwarded() {
    let incoming = "00-000000000000000000000000000000aa-00000000000000f0-01";
    let scene = |consumer: u64| {
        queued(message("t1").header("traceparent", incoming))
            .span(server().under(0xf0).remote())
            .span(run(0xaa, 0xb2).under(consumer).remote())
    };
    says(scene(0xf0), "incoming-context-forwarded", Warning);
    is_silent(scene(0xb0), "incoming-context-forwarded");
}

#[test]
fn tl113_producer_propagator_omits_trace() {
    says(
        queued(message("t1")).span(server()).span(producer(0xaa, 0xb1).under(0xb0)),
        "producer-propagator-omits-trace",
        Error,
    );
    is_silent(healthy(), "producer-propagator-omits-trace");
}

#[test]
fn tl201_malformed_traceparent() {
    for malformed in [
        "00-000000000000000000000000000000AA-00000000000000b1-01",
        "00-00000000000000000000000000000000-00000000000000b1-01",
        "ff-000000000000000000000000000000aa-00000000000000b1-01",
        "00-000000000000000000000000000000aa-00000000000000b1",
        "00-12345678901234567890-1234567890123-01",
        "nonsense",
    ] {
        says(queued(message("t1").header("traceparent", malformed)), "malformed-traceparent", Error);
    }
    for fine in [
        "cc-000000000000000000000000000000aa-00000000000000b1-01-more",
        "00-000000000000000000000000000000aa-00000000000000b1-03",
    ] {
        is_silent(queued(message("t1").header("traceparent", fine)), "malformed-traceparent");
    }
}

#[test]
fn tl202_header_name_case() {
    says(queued(message("t1").header("Traceparent", TRACEPARENT)), "header-name-case", Error);
    is_silent(
        queued(message("t1").header("Traceparent", TRACEPARENT).header("traceparent", TRACEPARENT)),
        "header-name-case",
    );
}

#[test]
fn tl203_context_in_body() {
    let in_kwargs = || message("t1").kwargs(json!({"ctx": {"traceparent": TRACEPARENT}}));
    says(queued(in_kwargs()), "context-in-body", Error);
    is_silent(queued(in_kwargs().header("traceparent", TRACEPARENT)), "context-in-body");
    // The task reads it from its arguments, and follows it.
    let followed = queued(in_kwargs())
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(followed, "context-in-body");
}

#[test]
fn tl204_context_in_properties() {
    says(queued(message("t1").property("traceparent", TRACEPARENT)), "context-in-properties", Error);
    is_silent(
        queued(message("t1").property("traceparent", TRACEPARENT).header("traceparent", TRACEPARENT)),
        "context-in-properties",
    );
}

#[test]
fn tl205_carrier_encoding() {
    let carrier = json!({"traceparent": TRACEPARENT}).to_string();
    let python = format!("{{'traceparent': '{TRACEPARENT}'}}");
    for bad in [json!(json!(carrier).to_string()), json!(python)] {
        says(queued(message("t1").header("trace_context", bad)), "carrier-encoding", Error);
    }
    says(
        queued(message("t1").header("traceparent", json!({"__type__": "bytes", "__value__": TRACEPARENT}))),
        "carrier-encoding",
        Error,
    );
    for fine in [json!(carrier), json!({"traceparent": TRACEPARENT})] {
        is_silent(queued(message("t1").header("trace_context", fine)), "carrier-encoding");
    }
}

#[test]
fn tl206_foreign_context_only() {
    let sentry = "000000000000000000000000000000aa-00000000000000b1-1";
    says(queued(message("t1").header("sentry-trace", sentry)), "foreign-context-only", Warning);
    says(
        queued(message("t1").header("sentry-trace", sentry)).span(server()).span(run(0xcc, 0xb2)),
        "foreign-context-only",
        Error,
    );
    is_silent(
        queued(message("t1").header("sentry-trace", sentry).header("traceparent", TRACEPARENT)),
        "foreign-context-only",
    );
}

#[test]
fn tl207_nested_context_only() {
    let nested = || message("t1").header("headers", json!({"traceparent": TRACEPARENT}));
    says(queued(nested()), "nested-context-only", Note);
    says(queued(nested()).span(server()).span(run(0xcc, 0xb2)), "nested-context-only", Error);
    is_silent(queued(nested().header("traceparent", TRACEPARENT)), "nested-context-only");
}

#[test]
fn tl208_conflicting_contexts() {
    let b3 = "000000000000000000000000000000cc-00000000000000c1-1";
    let both = || message("t1").header("traceparent", TRACEPARENT).header("b3", b3);
    says(queued(both()), "conflicting-contexts", Note);
    let sent = || queued(both()).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    says(sent().span(run(0xcc, 0xb2).under(0xc1).remote()), "conflicting-contexts", Error);
    is_silent(sent().span(run(0xaa, 0xb2).under(0xb1).remote()), "conflicting-contexts");
    let padded = "00000000000000aa-00000000000000b1-1";
    is_silent(
        queued(message("t1").header("traceparent", TRACEPARENT).header("b3", padded)),
        "conflicting-contexts",
    );
}

#[test]
fn tl301_propagator_mismatch() {
    let b3 = || message("t1").header("b3", "000000000000000000000000000000aa-00000000000000b1-1");
    let sent = |message| queued(message).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    says(sent(b3()).span(run(0xcc, 0xb2)), "propagator-mismatch", Error);
    is_healthy(sent(b3()).span(run(0xaa, 0xb2).under(0xb1).remote()));
    // Links instead of parents are right.
    is_healthy(sent(b3()).span(run(0xcc, 0xb2).link(0xaa, 0xb1)));
}

#[test]
fn tl302_to_304_hand_made_consumers() {
    let by_hand = || span("worker", "work", "consumer", 0xcc, 0xb2).at(2_000, 3_000);
    let carried = message("t1").header("my-trace", json!({"traceparent": TRACEPARENT}).to_string());
    says(queued(carried).span(server()).span(by_hand()), "carrier-key-mismatch", Error);
    // In a carrier of the application's own too, a format that W3C readers do
    // not know is the likelier cause than another key.
    let b3 = json!({"x-b3-traceid": "000000000000000000000000000000aa", "x-b3-spanid": "00000000000000b1", "x-b3-sampled": "1"});
    let carried = message("t1").header("trace_context", b3.to_string());
    says(queued(carried).span(server()).span(by_hand()), "propagator-mismatch", Error);
    let flat = || message("t1").header("traceparent", TRACEPARENT);
    says(queued(flat()).span(server()).span(by_hand()), "extract-result-ignored", Error);
    let nested = message("t1").header("trace_context", json!({"traceparent": TRACEPARENT}).to_string());
    says(queued(nested).span(server()).span(run(0xcc, 0xb2)), "carrier-shape-mismatch", Error);
    let followed = span("worker", "work", "consumer", 0xaa, 0xb2).at(2_000, 3_000).under(0xb1).remote();
    let sent = queued(flat()).span(server()).span(producer(0xaa, 0xb1).under(0xb0)).span(followed);
    for slug in ["carrier-key-mismatch", "extract-result-ignored", "carrier-shape-mismatch"] {
        is_silent(healthy(), slug);
    }
    is_healthy(sent);
}

#[test]
fn tl305_worker_not_instrumented() {
    let sent = || healthy_without_run();
    says(
        sent().span(span("worker", "send_mail", "internal", 0xcc, 0xb3).at(2_000, 2_100)),
        "worker-not-instrumented",
        Error,
    );
    // A worker's own polling is noise.
    let polling = sent()
        .span(span("worker", "BRPOP", "client", 0xcc, 0xb3).at(2_000, 2_100).text("db.system", "redis"));
    is_silent(polling, "worker-not-instrumented");
}

fn healthy_without_run() -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
}

#[test]
fn tl306_duplicate_consumer_spans() {
    let twin = |parent: u64| span("worker", "work", "consumer", 0xaa, 0xb3).at(2_100, 2_900).under(parent);
    says(healthy().span(twin(0xb0).remote()), "duplicate-consumer-spans", Warning);
    // Nested in the instrumentor's it is no twin.
    is_silent(healthy().span(twin(0xb2)), "duplicate-consumer-spans");
    let predicted = || {
        message("t1").header("traceparent", TRACEPARENT).header(
            "trace_context",
            json!({"traceparent": "00-000000000000000000000000000000aa-00000000000000b0-01"}).to_string(),
        )
    };
    says(queued(predicted()), "duplicate-consumer-spans", Warning);
    // Taken back when the spans show one consumer.
    let one = queued(predicted())
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(one, "duplicate-consumer-spans");
}

#[test]
fn tl307_worker_crashed_reading_context() {
    let failed = |kind: &str, text: &str, traceback: &str| {
        queued(message("t1")).span(server()).look(9_000, |look| {
            look.worker().result("t1", json!({"status": "FAILURE", "result": {"exc_type": kind, "exc_message": [text]}, "traceback": traceback}))
        })
    };
    let none = "'NoneType' object has no attribute 'get'";
    let line = "raw = self.request.headers.get('trace_context')";
    says(failed("AttributeError", none, line), "worker-crashed-reading-context", Error);
    is_silent(failed("ValueError", "payment declined", line), "worker-crashed-reading-context");
}

#[test]
fn tl401_not_sampled() {
    let off = "00-000000000000000000000000000000aa-00000000000000b1-02";
    says(queued(message("t1").header("traceparent", off)), "not-sampled", Warning);
    let ratio = Scene::default().look(1_000, |look| {
        look.ready(message("t1").header("traceparent", off))
            .ready(message("t2").header("traceparent", TRACEPARENT))
    });
    says(ratio, "not-sampled", Note);
    is_silent(healthy(), "not-sampled");
}

/// Twelve tasks, of which the worker kept those that `keeps` says.
fn sampled(keeps: impl Fn(u8) -> bool) -> Scene {
    let mut scene = Scene::default().look(1_000, |look| {
        (1..=12_u8).fold(look, |look, n| {
            look.ready(message(&format!("t{n}")).header("traceparent", format!("00-{n:032x}-{n:016x}-01")))
        })
    });
    scene = scene.look(9_000, |look| {
        (1..=12).fold(look.worker(), |look, n| look.result(&format!("t{n}"), json!({"status": "SUCCESS"})))
    });
    for n in 1..=12_u8 {
        scene = scene.span(span("api", "POST /", "server", n, n).at(0, 10));
        if keeps(n) {
            scene = scene.span(
                run(n, n + 100).under(u64::from(n)).remote().text("messaging.message.id", &format!("t{n}")),
            );
        }
    }
    scene
}

#[test]
fn tl402_sampler_ignores_parent() {
    says(sampled(|n| n <= 6), "sampler-ignores-parent", Error);
    // One silent worker of two does not split by the id.
    is_silent(sampled(|n| n % 2 == 0), "sampler-ignores-parent");
    says(sampled(|n| n % 2 == 0), "worker-silent", Error);
    // Too few to tell from chance.
    is_silent(sampled(|n| n < 12), "sampler-ignores-parent");
}

#[test]
fn tl501_worker_silent() {
    says(healthy_without_run(), "worker-silent", Error);
    // Spans alone do not show whether it waits.
    says(Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0)), "worker-silent", Note);
    let waits = queued(message("t1").header("traceparent", TRACEPARENT))
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0));
    is_silent(waits, "worker-silent");
    is_silent(healthy(), "worker-silent");
}

#[test]
fn tl502_parent_not_exported() {
    says(Scene::default().span(run(0xaa, 0xb2).under(0xb1).remote()), "parent-not-exported", Error);
    is_silent(Scene::default().span(server().under(0xf0).remote()), "parent-not-exported");
    is_silent(healthy(), "parent-not-exported");
}

#[test]
fn tl503_parent_not_ended() {
    let lost = || span("worker", "step", "internal", 0xaa, 0xb5).at(2_000, 2_100).under(0xb9).local();
    says(healthy_without_run().span(lost()), "parent-not-ended", Warning);
    // Inside a run that has ended itself, a span leaked.
    says(healthy().span(lost()), "parent-not-ended", Warning);
    // The task may still run.
    let running = queued(message("t1").header("traceparent", TRACEPARENT))
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0));
    is_silent(running.span(lost()), "parent-not-ended");
}

#[test]
fn tl504_exported_twice() {
    let first = || span("api", "a", "internal", 1, 1).at(0, 5);
    let second = || span("api", "b", "internal", 1, 2).at(0, 5);
    says(
        Scene::default().request([first(), second()]).request([first()]).request([second()]),
        "exported-twice",
        Warning,
    );
    says(Scene::default().request([first(), first()]), "exported-twice", Warning);
    says(
        Scene::default().request([first()]).request([first()]).request([second()]).request([second()]),
        "exported-twice",
        Warning,
    );
    // One request that comes again is a resend.
    is_silent(Scene::default().request([first()]).request([first()]).request([second()]), "exported-twice");
}

#[test]
fn tl505_to_507_the_receivers_doors() {
    says(Scene::default().received("grpc-on-http-port"), "grpc-on-http-port", Error);
    says(Scene::default().received("without-path"), "http-endpoint-without-path", Error);
    says(Scene::default().listened(30), "nothing-received", Error);
    for slug in ["grpc-on-http-port", "http-endpoint-without-path", "nothing-received"] {
        is_silent(healthy().listened(30), slug);
    }
    // Saved evidence: a receiver was up, tasks ran, and it heard nothing.
    let ran = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
    };
    says(ran().kept_log(), "nothing-received", Error);
    is_silent(ran(), "nothing-received");
    is_silent(queued(message("t1").header("traceparent", TRACEPARENT)).kept_log(), "nothing-received");
    is_silent(healthy().kept_log(), "nothing-received");
}

#[test]
fn what_holds_nothing_to_judge_is_no_evidence() {
    use tracelink::model::Status;
    let status = |scene: Scene| scene.report().verdict.status;
    assert_eq!(status(Scene::default()), Status::NoEvidence);
    assert_eq!(status(Scene::default().kept_log()), Status::NoEvidence);
    assert_eq!(status(Scene::default().received("accepted")), Status::NoEvidence);
    assert_eq!(status(Scene::default().received("without-path")), Status::Broken);
    assert_eq!(status(queued(message("t1").header("traceparent", TRACEPARENT))), Status::Healthy);
}

#[test]
fn tl508_invalid_span() {
    says(Scene::default().span(span("api", "a", "internal", 0, 1).at(0, 5)), "invalid-span", Warning);
    says(Scene::default().span(span("api", "a", "internal", 1, 1).at(9, 5)), "invalid-span", Warning);
    is_silent(healthy(), "invalid-span");
}

#[test]
fn tl509_spans_dropped() {
    let flood = |parents: u64, spans: u64| {
        let mut many = Vec::new();
        for n in 0..spans {
            let parent = if n < parents { 50_000 + n } else { 0 };
            many.push(span("api", "row", "internal", 1, 0).numbered(n + 1).at(0, 5).under(parent).local());
        }
        Scene::default().request(many)
    };
    says(flood(40, 2_100), "spans-dropped", Warning);
    is_silent(flood(2, 2_100), "spans-dropped");
    is_silent(flood(40, 100), "spans-dropped");
}

#[test]
fn tl601_602_names_of_services() {
    let one_name = |instance: &str| {
        Scene::default()
            .span(server().of("shop").instance("a"))
            .span(run(0xaa, 0xb2).under(0xb0).remote().of("shop").instance(instance))
    };
    says(one_name("b"), "service-name-collision", Warning);
    is_silent(one_name("a"), "service-name-collision");
    says(Scene::default().span(server().of("unknown_service:python3")), "service-name-unset", Warning);
    is_silent(healthy(), "service-name-unset");
}

#[test]
fn tl701_no_worker() {
    let waiting = || message("t1").header("traceparent", TRACEPARENT);
    says(queued(waiting()), "no-worker", Note);
    says(queued(waiting()).look(5_000, |look| look.ready(waiting())), "no-worker", Warning);
    is_silent(Scene::default().look(1_000, |look| look.worker().ready(waiting())), "no-worker");
}

#[test]
fn tl702_no_consumer_for_queue() {
    let waiting = |id: &str| message(id).header("traceparent", TRACEPARENT);
    let stuck = || queued(waiting("t1")).look(5_000, |look| look.worker().ready(waiting("t1")));
    says(stuck(), "no-consumer-for-queue", Warning);
    // A busy worker's backlog moves.
    let moving = Scene::default()
        .look(1_000, |look| look.worker().ready(waiting("t1")).ready(waiting("t2")))
        .look(5_000, |look| look.worker().ready(waiting("t2")));
    is_silent(moving, "no-consumer-for-queue");
}

#[test]
fn tl703_unroutable_message() {
    let sent = |exchange: &str| {
        healthy().span(
            producer(0xaa, 0xb7)
                .under(0xb0)
                .text("messaging.message.id", "t9")
                .text("celery.exchange", exchange)
                .text("messaging.destination", "orders.new"),
        )
    };
    says(sent("shop"), "unroutable-message", Error);
    is_silent(sent("celery"), "unroutable-message");
    // Without an exchange kombu would have made a list: a hint, where the broker
    // is known to be the producer's.
    says(sent(""), "unroutable-message", Warning);
}

#[test]
fn tl703_unroutable_message_of_a_producer_of_which_nothing_else_was_seen() {
    let lost = |id: &str, exchange: &str| {
        let sent = producer(0xaa, 0xb7).under(0xb0).text("messaging.message.id", id);
        sent.text("celery.exchange", exchange).text("messaging.destination", "orders.new")
    };
    let alone = |look: fn(scene::Look) -> scene::Look| {
        Scene::default().look(9_000, look).span(server()).span(lost("t9", "wholesale"))
    };
    // The only broker, with a worker at work, leads nowhere: worth a question.
    says(alone(scene::Look::worker), "unroutable-message", Warning);
    // A database without a worker may be a result backend, or another application's.
    is_silent(alone(|look| look), "unroutable-message");
    is_silent(
        Scene::default().look(9_000, scene::Look::worker).span(server()).span(lost("t9", "")),
        "unroutable-message",
    );
    // It was looked at before the task was published.
    let before = Scene::default().look(50, scene::Look::worker).span(server()).span(lost("t9", "wholesale"));
    is_silent(before, "unroutable-message");
    // Another broker was looked at too: which of them is the producer's?
    let other = |look: scene::Look| look.of("10.0.0.2:6379/0").worker();
    is_silent(alone(scene::Look::worker).look(9_000, other), "unroutable-message");
    // Another task of the producer ran, and no broker that was seen leads to it.
    let elsewhere = alone(scene::Look::worker)
        .span(lost("t8", "wholesale").numbered(0xb8))
        .span(run(0xaa, 0xb9).under(0xb8).remote().text("messaging.message.id", "t8"));
    is_silent(elsewhere, "unroutable-message");
    // A result of it lies in a database in which nothing is bound for it.
    let backend = Scene::default()
        .look(9_000, |look| look.worker().result("t8", json!({"status": "SUCCESS"})))
        .span(server())
        .span(lost("t8", "wholesale").numbered(0xb8))
        .span(lost("t9", "wholesale"));
    is_silent(backend, "unroutable-message");
}

#[test]
fn tl704_to_707_what_the_result_says() {
    let ended = |status: &str, kind: &str, text: &str| {
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(9_000, |look| {
                look.worker().result(
                    "t1",
                    json!({"status": status, "result": {"exc_type": kind, "exc_message": [text]}}),
                )
            })
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
    };
    says(ended("FAILURE", "NotRegistered", "work"), "task-not-registered", Error);
    says(ended("FAILURE", "WorkerLostError", "signal 9"), "worker-killed", Error);
    says(ended("REVOKED", "TaskRevokedError", "revoked"), "task-revoked", Note);
    says(ended("REVOKED", "TaskRevokedError", "expired"), "task-expired", Note);
    for slug in ["task-not-registered", "worker-killed", "task-revoked", "task-expired", "worker-silent"] {
        is_silent(healthy(), slug);
    }
    is_silent(ended("REVOKED", "TaskRevokedError", "expired"), "worker-silent");
}

#[test]
fn tl708_duplicate_execution() {
    let again = |redelivered: &str| {
        healthy().span(
            run(0xaa, 0xb3)
                .under(0xb1)
                .remote()
                .at(7_200_000, 7_201_000)
                .text("celery.delivery_info", redelivered),
        )
    };
    says(again("{'redelivered': True}"), "duplicate-execution", Warning);
    is_silent(again("{'redelivered': False}"), "duplicate-execution");
}

#[test]
fn tl709_to_711_notes() {
    let given_back = Scene::default().look(1_000, |look| {
        look.worker().ready(message("t1").header("traceparent", TRACEPARENT).header("redelivered", true))
    });
    says(given_back, "redelivered", Note);
    let red = healthy_without_run().span(
        span("worker", "work", "consumer", 0xaa, 0xb2)
            .at(2_000, 3_000)
            .under(0xb1)
            .remote()
            .error("Retry", "in 1s"),
    );
    says(red, "retry-marked-error", Note);
    says(
        healthy().span(
            run(0xaa, 0xb3)
                .text("messaging.message.id", "t5")
                .under(0xb1)
                .remote()
                .error("ValueError", "declined"),
        ),
        "task-failed",
        Note,
    );
    for slug in ["redelivered", "retry-marked-error", "task-failed"] {
        is_silent(healthy(), slug);
    }
}

/// What the task's own code says of an attempt, beside what became of it.
#[test]
fn tl710_and_711_red_spans_of_tasks_that_did_not_fail() {
    let first = |kind: &str| run(0xaa, 0xb2).under(0xb1).remote().error(kind, "later");
    let sent = || Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let again = || producer(0xaa, 0xb3).under(0xb2).at(2_900, 2_910).of("worker");
    let second = || run(0xaa, 0xb4).under(0xb3).remote().at(4_000, 5_000).text("celery.retries", "1");
    // The instrumentor's span is red by the task's own code.
    let retried = |kind: &str| sent().span(first(kind)).span(again()).span(second());
    says(retried("celery.exceptions.Retry"), "retry-marked-error", Note);
    says(retried("shop.EmailServiceUnavailable"), "retry-marked-error", Note);
    is_silent(retried("shop.EmailServiceUnavailable"), "task-failed");
    // The last attempt, which fails, is red by right.
    let gave_up = sent().span(first("ValueError"));
    is_silent(gave_up, "retry-marked-error");
    for steering in ["celery.exceptions.Ignore", "celery.exceptions.Reject", "celery.exceptions.Retry"] {
        is_silent(sent().span(first(steering)), "task-failed");
        let result = json!({"status": "SUCCESS"});
        is_silent(
            sent().span(first(steering)).look(9_000, |look| look.worker().result("t1", result)),
            "task-failed",
        );
    }
    // An exception that was caught, recorded, and made good.
    let caught = sent().span(first("ValueError"));
    is_silent(
        caught.look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"}))),
        "task-failed",
    );
    let failed =
        json!({"status": "FAILURE", "result": {"exc_type": "Reject", "exc_message": ["a class of its own"]}});
    says(
        sent().span(first("Reject")).look(9_000, |look| look.worker().result("t1", failed)),
        "task-failed",
        Note,
    );
}

#[test]
fn tl801_baggage_at_rest() {
    let scene = queued(message("t1").header("traceparent", TRACEPARENT).header("baggage", "user=secret-42"));
    let report = serde_json::to_string(&scene.report()).expect("serialises");
    assert!(report.contains("keys: user") && !report.contains("secret-42"), "baggage values stay hidden");
    is_silent(healthy(), "baggage-at-rest");
}

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
    // Beat has no trace to continue.
    is_healthy(queued(message("t1").header("celery_beat_task", true)).span(run(0xcc, 0xb2)));
}

/// What real systems leave that looks like a fault, and is none.
mod looks_alike {
    use super::*;

    #[test]
    fn runs_of_one_trace_at_the_same_time() {
        // Two tasks of a group in a threaded worker, each with a hand-made span
        // nested in the instrumentor's: neither is the other's twin.
        let second =
            |id| run(0xaa, id).under(0xb1).remote().text("messaging.message.id", "t2").at(2_050, 3_050);
        let by_hand =
            |id, parent| span("worker", "work", "consumer", 0xaa, id).at(2_100, 2_900).under(parent);
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

    #[test]
    fn a_consumer_of_something_else() {
        let kafka = span("stream", "orders process", "consumer", 0xcc, 0xc1)
            .at(0, 5)
            .text("messaging.system", "kafka");
        is_healthy(healthy().span(kafka));
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
            queued(message("t1")).look(2_000, |look| {
                look.ready(message("t2").header("parent_id", "t1").header("root_id", "t1"))
            })
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
        let faults: Vec<_> =
            report.findings.iter().filter(|finding| finding.slug == "stale-carrier").collect();
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
}

/// A diagnosis that no test names has not been seen to speak.
#[test]
fn every_diagnosis_has_its_scene() {
    let here = include_str!("catalogue.rs");
    let missing: Vec<_> = tracelink::diagnosis::all()
        .into_iter()
        .filter(|diagnosis| !here.contains(&format!("\"{}\"", diagnosis.slug)))
        .map(|diagnosis| diagnosis.slug)
        .collect();
    assert!(missing.is_empty(), "no scene for {missing:?}");
}
