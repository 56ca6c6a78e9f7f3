//! TL502 and TL503: spans whose parents never came.

use super::*;

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
    // No number tells its process, but another message of its names a span that came.
    let named = |origin: &str| {
        let other = message("t2").header("origin", origin.to_owned());
        let context = "00-000000000000000000000000000000dd-00000000000000d1-01";
        let scene = queued().look(1_100, |look| look.ready(other.header("traceparent", context)));
        scene.span(run()).span(span("api", "GET /", "server", 0xdd, 0xd1).at(0, 5))
    };
    assert_eq!(told(named("gen41@web-1")), said("lost", "send each span when it ends"));
    assert_eq!(told(named("gen42@web-1")), said("", "send to the receiver, in code"));
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
