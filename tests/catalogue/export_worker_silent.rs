//! TL501: a worker that sends no spans.

use super::*;

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
    let fixes = fixes_of(of_a_launcher, "worker-silent");
    assert_eq!(fixes[1].title, "start the worker under the launcher");
    assert_eq!(fixes[2].title, "switch the worker's export on");
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
    // The main process of a worker came, and not the child that stored the result.
    let asks =
        |name: &str| span("worker", name, "client", 0xcc, 0xb3).at(2_000, 2_001).text("db.system", "redis");
    let of_main = || healthy_without_run().span(asks("ZADD HSET"));
    assert_eq!(variant(of_main()), said("pool", FLUSH));
    says(of_main(), "worker-silent", (Error, Likely));
    let stores = asks("SETEX PUBLISH").numbered(0xb5).in_trace(0xce);
    is_silent(of_main().span(stores), "worker-silent");
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
    assert_eq!(variant(done(late.clone())), said("children", FLUSH));
    // Right after it a process was killed under another task, or long after.
    let killed = |at: &str| {
        let over = json!({
            "status": "FAILURE", "date_done": at,
            "result": {"exc_type": "TimeLimitExceeded", "exc_message": ["2"]},
        });
        done(late.clone()).look(9_500, |look| look.worker().result("t7", over))
    };
    let sooner = "hold spans for a tenth of a second, by environment";
    assert_eq!(variant(killed("2100-01-01T00:00:03+00:00")), said("killed", sooner));
    says(killed("2100-01-01T00:00:03+00:00"), "worker-silent", (Error, Likely));
    assert_eq!(variant(killed("2100-01-01T00:05:00+00:00")), said("children", FLUSH));
    assert_eq!(variant(killed("2099-12-31T23:59:59+00:00")), said("children", FLUSH));
    // The result names the worker: one that was heard, or another one.
    let by = |worker: &str| json!({"status": "SUCCESS", "worker": worker});
    let heard =
        |worker: &str| done(by(worker)).look(9_500, |look| look.worker().result("t7", by("celery@one")));
    assert_eq!(variant(heard("celery@one")), said("children", FLUSH));
    assert_eq!(variant(heard("celery@two")), said("one-worker", SET_UP));
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

/// Ids that a program carries under names of its own say nothing about sampling, unless it
/// carries the flags too. Whether a span that they name came shows who wrote them.
#[test]
fn tl501_worker_silent_below_a_parent_made_of_ids() {
    const FLAG: &str = "give the parent that is made of the ids the flag of a sampled one";
    let ids = |span: &str| {
        message("t1").header("trace_id", format!("{:032x}", 0xaa)).header("span_id", format!("{span:0>16}"))
    };
    let ran = |message: scene::MessageBuilder| {
        queued(message)
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
            .span(server())
    };
    says(ran(ids("b0")), "worker-silent", (Error, Likely));
    assert_eq!(fixes_of(ran(ids("b0")), "worker-silent")[0].title, FLAG);
    let may_be_unsampled = |scene: Scene| {
        let found = scene.report().findings.into_iter().find(|found| found.slug == "worker-silent");
        let is_unflagged = |why: &str| why.contains("the message says nothing about sampling");
        let mut others = found.expect("said").alternatives.into_iter();
        others.any(|other| other.slug == "not-sampled" && is_unflagged(&other.why))
    };
    assert!(may_be_unsampled(ran(ids("b0"))));
    // With the flags, the worker was told. What remains is a sampler of its own.
    let flagged = || ran(ids("b0").header("trace_flags", "01"));
    assert!(!may_be_unsampled(flagged()));
    let found = flagged().report().findings.into_iter().find(|found| found.slug == "worker-silent");
    assert!(found.expect("said").alternatives.iter().any(|other| other.slug == "not-sampled"));
    assert!(fixes_of(flagged(), "worker-silent").iter().all(|fix| fix.title != FLAG));
    // Ids of a span that never came may be another agent's.
    is_silent(ran(ids("b7")), "worker-silent");
}
