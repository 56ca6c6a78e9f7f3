//! 5xx: what never left its process, and the doors of the receiver.

use super::*;
use tracelink::model::{Side, StepKind};

#[test]
fn tl504_exported_twice() {
    let first = || span("api", "a", "internal", 1, 1).at(0, 5);
    let second = || span("api", "b", "internal", 1, 2).at(0, 5);
    says(
        Scene::default().request([first(), second()]).request([first()]).request([second()]),
        "exported-twice",
        Warning,
    );
    says(Scene::default().request([first(), first()]), "exported-twice", (Warning, Certain));
    // A collector sends something again, among other spans.
    let some = || Scene::default().request([first()]).request([first(), second()]);
    says(some(), "exported-twice", (Warning, Likely));
    // Ids come again where their generator is given a seed.
    let seeded = Scene::default().span(first()).span(span("api", "other", "internal", 1, 1).at(90, 95));
    says(seeded, "exported-twice", (Warning, Likely));
    says(
        Scene::default().request([first()]).request([first()]).request([second()]).request([second()]),
        "exported-twice",
        Warning,
    );
    // One request that comes again is a resend.
    is_silent(Scene::default().request([first()]).request([first()]).request([second()]), "exported-twice");
}

#[test]
fn tl505_to_512_the_receivers_doors() {
    says(Scene::default().received("grpc-on-http-port"), "grpc-on-http-port", Error);
    says(Scene::default().received("without-path"), "http-endpoint-without-path", Error);
    says(Scene::default().received("other-path"), "http-endpoint-with-path", Error);
    says(Scene::default().received("http-on-grpc-port"), "http-on-grpc-port", Error);
    says(Scene::default().received("tls-on-plain-port"), "tls-on-plain-port", (Error, Likely));
    says(Scene::default().listened(30), "nothing-received", Error);
    // No task ran, as no worker can take the message: that is told, and why.
    let unreadable = || {
        let message = message("t1").without("/properties/delivery_info");
        queued(message).look(9_000, scene::Look::worker).listened(30)
    };
    says(unreadable(), "unreadable-message", Error);
    is_silent(unreadable(), "nothing-received");
    for slug in [
        "grpc-on-http-port",
        "http-endpoint-without-path",
        "http-endpoint-with-path",
        "nothing-received",
        "http-on-grpc-port",
        "tls-on-plain-port",
    ] {
        is_silent(healthy().listened(30), slug);
    }
    // A browser at the gRPC port.
    is_healthy(healthy().received("unknown-path"));
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
fn the_receivers_doors_are_told_to_whoever_missed_them() {
    let missed = |outcome: &str| Scene::default().received(outcome).listening();
    for (outcome, slug, endpoint) in [
        ("grpc-on-http-port", "grpc-on-http-port", "http://10.0.0.5:4317"),
        ("http-on-grpc-port", "http-on-grpc-port", "http://10.0.0.5:4318/v1/traces"),
        ("without-path", "http-endpoint-without-path", "http://10.0.0.5:4318/v1/traces"),
        ("other-path", "http-endpoint-with-path", "http://10.0.0.5:4318/v1/traces"),
        ("tls-on-plain-port", "tls-on-plain-port", "http://10.0.0.5:4317"),
    ] {
        pastes(missed(outcome), slug, &format!("endpoint=\"{endpoint}\","));
        // Where nobody knows the door, the environment does.
        pastes(Scene::default().received(outcome), slug, "exporter = trace_exporter.OTLPSpanExporter()");
    }
    mends(
        missed("grpc-on-http-port"),
        "grpc-on-http-port",
        &[
            "send gRPC to its port, in code",
            "send gRPC to its port, by environment",
            "speak HTTP to this port, in code",
            "speak HTTP to this port, by environment",
        ],
    );
    // It is the worker's, where everything of the API came.
    let sides = |scene: Scene| {
        let fixes = fixes_of(scene.received("grpc-on-http-port").listening(), "grpc-on-http-port");
        fixes[0].steps.iter().map(|step| step.side).collect::<Vec<_>>()
    };
    assert_eq!(sides(healthy_without_run()), [Side::Worker]);
    assert_eq!(sides(Scene::default().span(run(0xaa, 0xb2).under(0xb1).remote())), [Side::Producer]);
    assert_eq!(sides(healthy()), [Side::Both]);
}

#[test]
fn tl504_exported_twice_by_a_launcher_and_by_code() {
    let twice = |of: fn(scene::SpanBuilder) -> scene::SpanBuilder| {
        let span = || of(span("api", "a", "server", 1, 1).at(0, 5));
        Scene::default().request([span(), span()]).listening()
    };
    mends(twice(|span| span), "exported-twice", &["export once"]);
    pastes(twice(|span| span), "exported-twice", "endpoint=\"http://10.0.0.5:4317\",");
    let launched = twice(scene::SpanBuilder::zero_code);
    pastes(launched, "exported-twice", "OTEL_TRACES_EXPORTER=none");
    let go = twice(|span| span.of_distribution("telemetry.sdk.language", "go"));
    assert_eq!(fixes_of(go, "exported-twice")[0].steps[0].kind, StepKind::Manual);
}

#[test]
fn tl507_nothing_received_of_programs_that_were_told_the_endpoint() {
    let quiet = || Scene::default().listened(30);
    pastes(quiet().listening(), "nothing-received", "endpoint=\"http://10.0.0.5:4317\",");
    pastes(quiet().told(), "nothing-received", "exporter = trace_exporter.OTLPSpanExporter()");
    let titles = ["send to where tracelink listens, in code", "switch the export on, by environment"];
    mends(quiet().listening(), "nothing-received", &titles);
    let switched = &fixes_of(quiet().told(), "nothing-received")[1];
    assert!(switched.steps[0].lines.iter().all(|line| !line.contains("ENDPOINT")), "{switched:?}");
}

#[test]
fn what_holds_nothing_to_judge_is_no_evidence() {
    use tracelink::model::Status;
    let status = |scene: Scene| scene.report().verdict.status;
    assert_eq!(status(Scene::default()), Status::NoEvidence);
    assert_eq!(status(Scene::default().kept_log()), Status::NoEvidence);
    assert_eq!(status(Scene::default().received("accepted")), Status::NoEvidence);
    for mistake in
        ["without-path", "other-path", "grpc-on-http-port", "http-on-grpc-port", "tls-on-plain-port"]
    {
        assert_eq!(status(Scene::default().received(mistake)), Status::Broken, "{mistake}");
    }
    assert_eq!(status(queued(message("t1").header("traceparent", TRACEPARENT))), Status::Healthy);
}

#[test]
fn tl508_invalid_span() {
    says(Scene::default().span(span("api", "a", "internal", 0, 1).at(0, 5)), "invalid-span", Warning);
    says(Scene::default().span(span("api", "a", "internal", 1, 1).at(9, 5)), "invalid-span", Warning);
    // Another generator makes other ids, and no other times.
    let of_no_trace = || Scene::default().span(span("api", "a", "internal", 0, 1).at(0, 5));
    mends(of_no_trace(), "invalid-span", &["send valid spans", "let the SDK make the ids"]);
    mends(
        Scene::default().span(span("api", "a", "internal", 1, 1).at(9, 5)),
        "invalid-span",
        &["send valid spans"],
    );
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
    // The environment is read by code too.
    pastes(flood(40, 2_100), "spans-dropped", "OTEL_BSP_MAX_QUEUE_SIZE=16384");
    is_silent(flood(2, 2_100), "spans-dropped");
    is_silent(flood(40, 100), "spans-dropped");
    // A process that sends little has no full queue.
    says(flood(40, 100), "parent-not-ended", Warning);
    // A task waits for many things at once, and has sent much before.
    let row =
        |trace: u8, n: u64| span("worker", "row", "internal", trace, 0).numbered(n + 1).at(2_010, 2_015);
    let before = (0..2_100).map(|n| row(2, n));
    let waiting = (0..12).map(|n| row(0xaa, n).under(50_000 + n).local());
    is_silent(may_run().request(before.chain(waiting)), "spans-dropped");
}
