//! 5xx: what never left its process, and the doors of the receiver.

use super::*;
use tracelink::model::{Side, StepKind};

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
fn tl501_worker_silent_by_what_the_workers_sent() {
    const SET_UP: &str = "set up the SDK and Celery's instrumentor in the worker";
    const FLUSH: &str = "send what a child of the pool holds when it ends";
    let endpoint = ["send to the receiver, in code", "send to the receiver, by environment"];
    let sampler =
        ["let the worker keep its traces, in code", "let the worker keep its traces, by environment"];
    // Nothing of any worker: never set up, most likely.
    mends(
        healthy_without_run(),
        "worker-silent",
        &[SET_UP, endpoint[0], endpoint[1], sampler[0], sampler[1]],
    );
    let of_a_launcher = Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
        .span(producer(0xaa, 0xb1).zero_code());
    assert_eq!(fixes_of(of_a_launcher, "worker-silent")[1].title, "start the worker under the launcher");
    // Something came to a wrong door.
    let misdirected = healthy_without_run().received("without-path").listening();
    mends(
        misdirected,
        "worker-silent",
        &["send to /v1/traces, in code", "send to /v1/traces, by environment"],
    );
    // Other runs came: of other children of the same pool.
    let other = |pid: i64| {
        let id = format!("t{pid}");
        run(0xcc, u8::try_from(pid).expect("small"))
            .under(0xc1)
            .remote()
            .text("messaging.message.id", &id)
            .process("web-1", pid)
    };
    let variant = |scene: Scene| {
        let report = scene.report();
        let found = report.findings.iter().find(|finding| finding.slug == "worker-silent").expect("said");
        (found.variant.clone().unwrap_or_default(), found.fixes[0].title.to_string())
    };
    let said = |variant: &str, title: &str| (variant.to_owned(), title.to_owned());
    assert_eq!(variant(healthy_without_run().span(other(7)).span(other(8))), said("children", FLUSH));
    // One process may be all of a pool, or another worker.
    assert_eq!(variant(healthy_without_run().span(other(7))), said("some", SET_UP));
    // The task was done after all that came.
    let done = |result: serde_json::Value| {
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(9_000, |look| look.worker().result("t1", result))
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(other(7))
    };
    let late = json!({"status": "SUCCESS", "date_done": "2100-01-01T00:00:00+00:00"});
    assert_eq!(variant(done(late)), said("children", FLUSH));
    // The result names the worker: one that was heard, or another one.
    let by = |worker: &str| json!({"status": "SUCCESS", "worker": worker});
    let heard =
        |worker: &str| done(by(worker)).look(9_500, |look| look.worker().result("t7", by("celery@one")));
    assert_eq!(variant(heard("celery@one")), said("children", FLUSH));
    assert_eq!(variant(heard("celery@two")), said("one-worker", SET_UP));
}

#[test]
fn tl502_parent_not_exported_by_what_its_sender_sent() {
    let queued = || queued(message("t1").header("traceparent", TRACEPARENT).header("origin", "gen41@web-1"));
    let run = || run(0xaa, 0xb2).under(0xb1).remote();
    let told = |scene: Scene| {
        let report = scene.report();
        let found =
            report.findings.iter().find(|finding| finding.slug == "parent-not-exported").expect("said");
        (found.variant.clone().unwrap_or_default(), found.fixes[0].title.to_string())
    };
    let said = |variant: &str, title: &str| (variant.to_owned(), title.to_owned());
    // Nothing of it: elsewhere first.
    assert_eq!(told(queued().span(run())), said("", "send to the receiver, in code"));
    // The request around the publish came: the exporter works.
    assert_eq!(told(queued().span(run()).span(server())), said("partly", "export without a filter"));
    let launched = queued().span(run()).span(server().zero_code());
    assert_eq!(told(launched), said("partly", "let a collector pass these spans"));
    // One that sends much has a queue that is full now and then.
    let many = (1..=2_100).map(|n| span("api", "row", "internal", 0xdd, 0).numbered(n).at(0, 5));
    let busy = queued().span(run()).request(many.chain([server()]));
    assert_eq!(told(busy), said("partly", "let more spans wait to be sent, by environment"));
    // It sent other traces.
    let other = span("api", "GET /", "server", 0xdd, 0xd1).at(0, 5).process("web-1", 41);
    assert_eq!(told(queued().span(run()).span(other)), said("lost", "send each span when it ends"));
    // An agent wrote the context, beside one of its own.
    let vendor = Scene::default().look(1_000, |look| {
        let message = message("t1").header("traceparent", TRACEPARENT);
        look.ready(message.header("x-datadog-trace-id", "170").header("x-datadog-parent-id", "177"))
    });
    assert_eq!(told(vendor.span(run())), said("vendor", "let one tracer serve both sides"));
}

#[test]
fn tl502_parent_not_exported_of_a_script() {
    let sent = |id: &str, trace: &str, span: u8| {
        let context = format!("00-000000000000000000000000000000{trace}-00000000000000{span:02x}-01");
        message(id).header("traceparent", context).header("origin", "gen41@web-1")
    };
    let published = |other: &str| {
        let scene = Scene::default()
            .look(1_000, |look| look.ready(sent("t1", "aa", 0xb1)).ready(sent("t2", other, 0xb3)));
        scene.span(run(0xaa, 0xb2).under(0xb1).remote())
    };
    let first = |scene: Scene| fixes_of(scene, "parent-not-exported")[0].title.to_string();
    // All in one trace, and nothing else: it ended, most likely.
    assert_eq!(first(published("aa")), "send each span when it ends");
    // Each request of an API has a trace of its own.
    assert_eq!(first(published("cc")), "send to the receiver, in code");
}

#[test]
fn tl502_parent_not_exported() {
    says(Scene::default().span(run(0xaa, 0xb2).under(0xb1).remote()), "parent-not-exported", Error);
    is_silent(Scene::default().span(server().under(0xf0).remote()), "parent-not-exported");
    is_silent(healthy(), "parent-not-exported");
}

#[test]
fn tl502_parent_not_exported_that_may_be_open() {
    // A handler that hands its own context over and goes on with its answer.
    let by_hand = || {
        let carrier = json!({"traceparent": "00-000000000000000000000000000000aa-00000000000000b0-01"});
        Scene::watched()
            .look(1_000, |look| look.ready(message("t1").header("trace_context", carrier.to_string())))
            .span(span("worker", "work", "consumer", 0xaa, 0xb2).at(2_000, 3_000).under(0xb0).remote())
    };
    let said = |scene: Scene, seconds: u64| {
        let findings = scene.findings_after(seconds);
        let found = findings.iter().find(|finding| finding.slug == "parent-not-exported");
        found.map(|finding| (finding.severity, finding.confidence))
    };
    assert_eq!(said(by_hand(), 20), Some((Note, Possible)));
    assert_eq!(said(by_hand(), 400), Some((Error, Likely)));
    // An instrumentor's PRODUCER span ends at once.
    let instrumented = Scene::watched()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    assert_eq!(said(instrumented, 20), Some((Error, Likely)));
}

#[test]
fn tl503_parent_not_ended() {
    let lost = || span("worker", "step", "internal", 0xaa, 0xb5).at(2_000, 2_100).under(0xb9).local();
    says(healthy_without_run().span(lost()), "parent-not-ended", Warning);
    // Inside a run that has ended itself, a span leaked.
    says(healthy().span(lost()), "parent-not-ended", Warning);
    let opened = |rest: &str| format!("with tracer.start_as_current_span(\"work\"{rest}) as span:");
    pastes(healthy_without_run().span(lost()), "parent-not-ended", &opened(", context=ctx, kind=consumer"));
    pastes(healthy().span(lost()), "parent-not-ended", &opened(""));
    // The task may still run.
    let running = queued(message("t1").header("traceparent", TRACEPARENT))
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0));
    is_silent(running.span(lost()), "parent-not-ended");
    // It does one thing for six minutes, and sends no span of that.
    let long = || {
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(400_000, |look| look.worker().result("t1", json!({"status": "STARTED"})))
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(lost())
    };
    says(long(), "parent-not-ended", (Note, Possible));
    is_healthy(long());
}

/// A task works in one place, and nothing says whether it is done.
fn may_run() -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, scene::Look::worker)
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
}

#[test]
fn tl503_parent_not_ended_by_the_silence_of_its_process() {
    let lost = || span("worker", "step", "internal", 0xaa, 0xb5).at(2_000, 2_100).under(0xb9).local();
    let called = || may_run().span(lost());
    let later = |start: u64, end: u64| span("api", "GET /", "server", 0xee, 0xe1).at(start, end);
    says(called().span(later(400_000, 400_010)), "parent-not-ended", (Note, Possible));
    is_silent(called(), "parent-not-ended");
    is_silent(called().span(later(200_000, 200_010)), "parent-not-ended");
    // An end that was set by hand is no clock.
    is_silent(called().span(later(1_000, 400_000)), "parent-not-ended");
    // Nor is that of a host which has no part in the trace, and may be ahead.
    is_silent(called().span(later(400_000, 400_010).of("gateway")), "parent-not-ended");
    // One that has a part, and shows it six minutes later than the process does.
    let ahead = Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
        .look(9_000, scene::Look::worker)
        .span(server().at(400_000, 400_500))
        .span(producer(0xaa, 0xb1).under(0xb0).at(400_100, 400_110))
        .span(lost());
    is_silent(ahead, "parent-not-ended");
}

/// A publish that failed left its span current: so many later ones hang below it.
fn leaked(mut scene: Scene, publishes: u8) -> Scene {
    for n in 1..=publishes {
        let (id, start) = (format!("t{n}"), 1_000 * u64::from(n));
        scene = scene
            .span(
                producer(0xaa, n)
                    .of("feeder")
                    .at(start, start + 5)
                    .under(0xb9)
                    .text("messaging.message.id", &id),
            )
            .span(
                run(0xaa, 0x40 + n)
                    .at(start + 50, start + 60)
                    .under(n.into())
                    .remote()
                    .text("messaging.message.id", &id),
            );
    }
    scene
}

#[test]
fn tl503_parent_not_ended_of_a_publish_that_failed() {
    says(leaked(Scene::default(), 3), "parent-not-ended", (Warning, Likely));
    mends(
        leaked(Scene::default(), 3),
        "parent-not-ended",
        &["publish in a context that ends with the publish"],
    );
    // One that has not run yet lies below what is missing, and is not what is open.
    let waits =
        producer(0xaa, 9).of("feeder").at(9_000, 9_005).under(0xb9).text("messaging.message.id", "t9");
    says(leaked(Scene::default(), 3).span(waits), "parent-not-ended", (Warning, Likely));
    // A script that has ended sent the span around all of them.
    let outer = || span("feeder", "import", "internal", 0xaa, 0xb9).at(500, 9_500);
    is_silent(leaked(Scene::default(), 3).span(outer()), "parent-not-ended");
    is_healthy(leaked(Scene::default(), 3).span(outer()));
    // While evidence comes in, a script may go on for a while.
    let said = |scene: Scene, seconds: u64| {
        let findings = scene.findings_after(seconds);
        let found = findings.iter().find(|finding| finding.slug == "parent-not-ended");
        found.map(|finding| (finding.severity, finding.confidence))
    };
    assert_eq!(said(leaked(Scene::watched(), 3), 20), None);
    assert_eq!(said(leaked(Scene::watched(), 3), 400), Some((Warning, Likely)));
}

#[test]
fn tl503_parent_not_ended_of_a_request_that_failed() {
    let below = || span("api", "SELECT", "client", 0xdd, 0xd2).at(100, 110).under(0xd1).local();
    says(healthy().span(below()), "parent-not-ended", (Warning, Likely));
    // An SDK that sends no flags: what is neither a request nor a run has its
    // parent beside it, unless something handed that over.
    says(healthy().span(below().without_flags()), "parent-not-ended", (Warning, Likely));
    let entry = |kind: &str| span("shop", "GET", kind, 0xdd, 0xd3).at(100, 200).under(0xd1).without_flags();
    is_silent(healthy().span(entry("server")), "parent-not-ended");
    is_silent(healthy().span(entry("consumer")), "parent-not-ended");
    is_silent(healthy().span(entry("server")).span(below().without_flags()), "parent-not-ended");
    let by_hand = span("worker", "work", "internal", 0xaa, 0xb2).at(2_000, 3_000).under(0xb1).without_flags();
    let sent = queued(message("t1").header("traceparent", TRACEPARENT));
    is_silent(sent.span(by_hand), "parent-not-ended");
}

#[test]
fn spans_that_were_lost_inside_the_worker() {
    let part = |id: u8, parent: u64| {
        span("worker", "row", "internal", 0xaa, id).at(2_000, 2_100).under(parent).local()
    };
    // Neither the run nor most of what was above these: dropped, and not silent.
    let many = || (1..=12).fold(healthy_without_run(), |scene, n| scene.span(part(n, 0x1000 + u64::from(n))));
    says(many(), "parent-not-ended", Warning);
    is_silent(many(), "worker-silent");
    // The same of an SDK that sends no flags.
    let old = || {
        (1..=12).fold(healthy_without_run(), |scene, n| {
            scene.span(part(n, 0x1000 + u64::from(n)).without_flags())
        })
    };
    says(old(), "parent-not-ended", Warning);
    is_silent(old(), "worker-silent");
    // The sender's spans are missing too: what began after the message was there
    // is the worker's.
    let alone = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
            .span(part(1, 0x1001))
    };
    says(alone(), "parent-not-ended", Warning);
    is_silent(alone(), "worker-silent");
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
fn tl505_to_511_the_receivers_doors() {
    says(Scene::default().received("grpc-on-http-port"), "grpc-on-http-port", Error);
    says(Scene::default().received("without-path"), "http-endpoint-without-path", Error);
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

/// Of what was not seen the other side is the best sign.
#[test]
fn beside_a_launched_side_the_environment_comes_first() {
    let first = |scene: Scene, slug: &str| {
        let fixes = fixes_of(scene, slug);
        fixes.iter().take(2).map(|fix| fix.title.to_string()).collect::<Vec<_>>()
    };
    let launched = || {
        let scene = Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})));
        scene.span(server().zero_code()).span(producer(0xaa, 0xb1).under(0xb0).zero_code())
    };
    let path = ["send to /v1/traces, by environment", "send to /v1/traces, in code"];
    let missed = || launched().received("without-path").listening();
    assert_eq!(first(missed(), "http-endpoint-without-path"), path);
    assert_eq!(first(missed(), "worker-silent"), path);
    let port = ["send gRPC to its port, by environment", "send gRPC to its port, in code"];
    assert_eq!(first(launched().received("grpc-on-http-port"), "grpc-on-http-port"), port);
    let orphan = Scene::default().span(run(0xaa, 0xb2).under(0xb1).remote().zero_code());
    let receiver = ["send to the receiver, by environment", "send to the receiver, in code"];
    assert_eq!(first(orphan, "parent-not-exported"), receiver);
}

#[test]
fn what_the_exports_speak_is_what_a_set_up_speaks() {
    let exporter =
        |protocol: &str| format!("from opentelemetry.exporter.otlp.proto.{protocol} import trace_exporter");
    let (http, grpc) =
        ("POST /v1/traces", "POST /opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let by_http = || healthy_without_run().took("OTel-OTLP-Exporter-Python/1.45.2", http);
    pastes(by_http(), "worker-silent", &exporter("http"));
    pastes(by_http().took("grpc-python/1.76.0", grpc), "worker-silent", &exporter("grpc"));
    pastes(healthy_without_run(), "worker-silent", &exporter("grpc"));
    // Metrics go by another exporter.
    let metrics = healthy_without_run().took("OTel-OTLP-Exporter-Python/1.45.2", "POST /v1/metrics");
    pastes(metrics, "worker-silent", &exporter("grpc"));
    // What the environment disables no code starts.
    pastes(by_http(), "worker-silent", "OTEL_SDK_DISABLED=false");
    let without = queued(message("t1")).span(run(0xaa, 0xb2)).took("", http);
    pastes(without, "producer-sdk-disabled", &exporter("http"));
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
    for mistake in ["without-path", "grpc-on-http-port", "http-on-grpc-port", "tls-on-plain-port"] {
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

#[test]
fn tl501_worker_silent_though_the_message_was_never_seen() {
    let sent = || Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    // Its queue is bound, and was read to its end long after it was published.
    says(sent().look(9_000, scene::Look::worker), "worker-silent", (Error, Likely));
    // The look may have come before it, by another clock.
    says(sent().look(2_000, scene::Look::worker), "worker-silent", (Note, Possible));
    // Nothing is known of its queue.
    let orders = Scene::default()
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0).text("messaging.destination", "orders"))
        .look(9_000, scene::Look::worker);
    says(orders, "worker-silent", (Note, Possible));
    // Results are kept of this task, and there is none yet: it may still run.
    let kept = json!({"status": "SUCCESS", "name": "work", "task_id": "t2"});
    let other = || {
        sent()
            .span(producer(0xaa, 0xb5).under(0xb0).text("messaging.message.id", "t2"))
            .span(run(0xaa, 0xb6).under(0xb5).remote().text("messaging.message.id", "t2"))
    };
    is_healthy(other().look(9_000, |look| look.worker().result("t2", kept)));
    says(other().look(9_000, scene::Look::worker), "worker-silent", (Error, Likely));
    // It was revoked, or a run that names no message may be its own.
    let revoked =
        json!({"status": "REVOKED", "result": {"exc_type": "TaskRevokedError", "exc_message": ["revoked"]}});
    is_healthy(sent().look(9_000, |look| look.worker().result("t1", revoked)));
    let batch = || span("worker", "flush", "consumer", 0xcc, 0xb7).at(2_000, 3_000).under(0xb8).remote();
    says(sent().look(9_000, scene::Look::worker).span(batch()), "worker-silent", (Note, Possible));
}

#[test]
fn tl501_worker_silent_behind_a_producer_made_by_hand() {
    let send = |system: &str, queue: &str| {
        span("api", "send work", "producer", 0xaa, 0xb1)
            .at(100, 110)
            .under(0xb0)
            .text("messaging.system", system)
            .text("messaging.destination.name", queue)
            .text("messaging.message.id", "t1")
    };
    let sent = |system: &str, queue: &str| Scene::default().span(server()).span(send(system, queue));
    let ran =
        |scene: Scene| scene.look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})));
    // The result bears the id that the span names.
    says(ran(sent("redis", "celery")), "worker-silent", Error);
    says(ran(sent("redis", "a-name-of-its-own")), "worker-silent", Error);
    says(sent("redis", "celery").look(9_000, scene::Look::worker), "worker-silent", (Error, Likely));
    let run = || run(0xaa, 0xb2).under(0xb1).remote();
    is_healthy(ran(sent("redis", "celery").span(run())));
    // A stream, and other systems: they are no hand-offs, whatever their ids.
    for (system, queue) in
        [("redis", "events"), ("kafka", "celery"), ("rabbitmq", "orders"), ("aws_sqs", "celery")]
    {
        let report = sent(system, queue).look(9_000, scene::Look::worker).report();
        assert_eq!(
            (report.inputs.handoffs, report.findings.len()),
            (0, 0),
            "{system}: {:?}",
            report.findings
        );
    }
    let report = sent("redis", "events").report();
    assert_eq!((report.inputs.handoffs, report.findings.len()), (0, 0), "{:?}", report.findings);
}
