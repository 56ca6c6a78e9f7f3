//! 2xx: what the message does to a context.

use super::*;

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
    // From the queue alone it is not seen what the task makes of its arguments.
    says(queued(in_kwargs()), "context-in-body", Note);
    says(queued(in_kwargs()).span(server()).span(run(0xcc, 0xb2)), "context-in-body", (Error, Certain));
    // The run is a root, and only what it does inside follows the context.
    let inner = span("worker", "step", "internal", 0xaa, 0xb5).at(2_100, 2_900).under(0xb1).remote();
    says(queued(in_kwargs()).span(server()).span(run(0xcc, 0xb2)).span(inner), "context-in-body", Error);
    // What will come gives way to what is seen.
    let waits = Scene::default()
        .look(1_000, |look| look.ready(in_kwargs()))
        .look(9_000, |look| look.worker().ready(in_kwargs()).controlled_by("other"));
    is_silent_above(waits, "context-in-body");
    is_silent(queued(in_kwargs().header("traceparent", TRACEPARENT)), "context-in-body");
    // The task reads it from its arguments, and follows it.
    let followed = queued(in_kwargs())
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(followed, "context-in-body");
    // Without a run, the first spans of the task follow it, of whatever kind.
    for kind in ["internal", "client", "producer"] {
        let top = || span("worker", "charge", kind, 0xaa, 0xb5).at(2_100, 2_900).under(0xb1);
        let sent = || {
            queued(in_kwargs())
                .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
                .span(server().numbered(0xb1))
        };
        is_healthy(sent().span(top().remote()));
        // Before Python's SDK 1.27 a span does not say that its parent is remote.
        is_healthy(sent().span(top().without_flags()));
    }
}

fn is_silent_above(scene: Scene, slug: &str) {
    let report = scene.report();
    assert!(report.findings.iter().all(|finding| finding.slug != slug || finding.severity == Note));
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
    // An object, and a task that fails.
    let failed = |kind: &str, text: &str| {
        let failure = json!({"status": "FAILURE", "result": {"exc_type": kind, "exc_message": [text]}});
        queued(message("t1").header("trace_context", json!({"traceparent": TRACEPARENT})))
            .look(9_000, |look| look.worker().result("t1", failure))
    };
    says(
        failed("TypeError", "the JSON object must be str, bytes or bytearray, not dict"),
        "carrier-encoding",
        Error,
    );
    // It parsed something else: for an object `json.loads` raises no such thing.
    is_silent(failed("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"), "carrier-encoding");
}

#[test]
fn tl206_foreign_context_only() {
    let sentry = "000000000000000000000000000000aa-00000000000000b1-1";
    says(queued(message("t1").header("sentry-trace", sentry)), "foreign-context-only", Note);
    let later = |look: scene::Look| look.ready(message("t1").header("sentry-trace", sentry));
    says(
        queued(message("t1").header("sentry-trace", sentry)).look(9_000, later),
        "foreign-context-only",
        Warning,
    );
    // Taken by a worker of which no span is seen: the vendor's agent may be in it.
    let taken = queued(message("t1").header("sentry-trace", sentry))
        .span(server())
        .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})));
    says(taken, "foreign-context-only", Note);
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
    // Another one stands in the place of the instrumentor's, which is gone.
    let theirs = "00-000000000000000000000000000000cc-00000000000000c1-01";
    let replaced = queued(message("t1").header("traceparent", theirs));
    let replaced = replaced.span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let ran = run(0xcc, 0xb2).under(0xc1).remote();
    says(replaced.span(ran), "conflicting-contexts", (Error, Likely));
    let padded = "00000000000000aa-00000000000000b1-1";
    is_silent(
        queued(message("t1").header("traceparent", TRACEPARENT).header("b3", padded)),
        "conflicting-contexts",
    );
}

#[test]
fn tl209_unreadable_message() {
    let parts = [
        "/properties",
        "/properties/delivery_tag",
        "/properties/delivery_info",
        "/properties/delivery_info/routing_key",
        "/content-type",
        "/headers/id",
    ];
    for part in parts {
        let lacking = || message("t1").header("traceparent", TRACEPARENT).without(part);
        says(queued(lacking()), "unreadable-message", (Warning, Likely));
        // It was taken, and nothing came of it.
        let lost = || queued(lacking()).look(9_000, scene::Look::worker).span(server());
        says(lost(), "unreadable-message", (Error, Likely));
        is_silent(lost(), "worker-silent");
    }
    // A worker in another language read it.
    let lacking = || message("t1").header("traceparent", TRACEPARENT).without("/properties/delivery_info");
    let ran =
        || queued(lacking()).look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})));
    is_silent(ran(), "unreadable-message");
    let seen = queued(lacking()).look(9_000, scene::Look::worker).span(server());
    is_silent(seen.span(run(0xaa, 0xb2).under(0xb1).remote()), "unreadable-message");
    is_silent(queued(message("t1").header("traceparent", TRACEPARENT)), "unreadable-message");
}

#[test]
fn tl209_unreadable_message_that_was_never_seen() {
    let by_hand = |id: u8, task: &str, start: u64| {
        span("api", "send work", "producer", 0xaa, id)
            .at(start, start + 5)
            .under(0xb0)
            .text("messaging.system", "redis")
            .text("messaging.destination.name", "celery")
            .text("messaging.message.id", task)
    };
    let sent = |second: scene::MessageBuilder| {
        Scene::default()
            .look(1_000, |look| look.ready(second))
            .look(9_000, scene::Look::worker)
            .span(server())
            .span(by_hand(0xb1, "t1", 100))
            .span(by_hand(0xb2, "t2", 200))
    };
    let second = || message("t2").header("traceparent", TRACEPARENT.replace("b1-01", "b2-01"));
    let report = sent(second().without("/properties/delivery_info")).report();
    let found: Vec<_> = report.findings.iter().filter(|found| found.severity < Note).collect();
    assert_eq!(
        found.iter().map(|found| (found.slug, found.count)).collect::<Vec<_>>(),
        [("unreadable-message", 2)]
    );
    // Its other messages can be read: this one's worker is silent.
    is_silent(sent(second()), "unreadable-message");
    says(sent(second()), "worker-silent", Error);
}

#[test]
fn a_vendors_header_does_not_end_the_search_for_a_context() {
    let sentry = "000000000000000000000000000000cc-00000000000000c1-1";
    let both = || {
        let carrier = json!({"traceparent": TRACEPARENT});
        message("t1").header("sentry-trace", sentry).kwargs(json!({"otel_context": carrier}))
    };
    let report = queued(both()).report();
    assert!(report.messages[0].contexts.iter().any(|found| found.format == "w3c"), "{:?}", report.messages);
    is_silent(queued(both()), "foreign-context-only");
    says(queued(both()).span(server()).span(run(0xee, 0xb2)), "context-in-body", Error);
    let followed = queued(both()).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    is_healthy(followed.span(run(0xaa, 0xb2).under(0xb1).remote()));
}

const AT_PUBLISH: &str = "write the context flat into the headers, where it is published";
const BY_SIGNAL: &str = "write the context flat into each message that Celery publishes";

#[test]
fn a_fix_writes_where_the_reader_looks() {
    let flat = [AT_PUBLISH, BY_SIGNAL];
    let wrong = || message("t1").header("traceparent", "nonsense");
    mends(queued(wrong()), "malformed-traceparent", &flat);
    // Celery's signal does not come where Celery does not publish.
    let by_node = || wrong().header("lang", "js");
    mends(queued(by_node()), "malformed-traceparent", &flat[..1]);
    let in_node = &fixes_of(queued(by_node()), "malformed-traceparent")[0].steps[0];
    assert!(in_node.lines.iter().any(|line| line.contains("propagation.inject(context.active(), headers)")));
    assert_eq!(in_node.installs, ["@opentelemetry/api"]);
    let by_go = wrong().header("lang", "go");
    assert!(fixes_of(queued(by_go), "malformed-traceparent")[0].steps[0].lines.is_empty());
    // Whoever reads a carrier by hand finds it there.
    let carried = message("t1").header("my-trace", json!({"traceparent": "nonsense"}).to_string());
    pastes(queued(carried), "malformed-traceparent", "headers[\"my-trace\"] = to_json(carrier)");
    // A key that no line may repeat.
    let hostile = message("t1").header("a\"]; x", json!({"traceparent": "nonsense"}).to_string());
    mends(queued(hostile), "malformed-traceparent", &flat);
    let twice = json!(json!({"traceparent": TRACEPARENT}).to_string()).to_string();
    let twice = message("t1").header("trace_context", twice);
    pastes(queued(twice), "carrier-encoding", "headers[\"trace_context\"] = to_json(carrier)");
}

#[test]
fn a_task_that_reads_its_arguments_is_told_what_it_needs() {
    let places = |scene: Scene| {
        let fixes = fixes_of(scene, "context-in-body");
        fixes[0].steps.iter().map(|step| step.place.name()).collect::<Vec<_>>()
    };
    let sent = || queued(message("t1").kwargs(json!({"ctx": {"traceparent": TRACEPARENT}}))).span(server());
    assert_eq!(places(sent().span(run(0xcc, 0xb2))), ["publish"]);
    let inner = || span("worker", "step", "internal", 0xaa, 0xb5).at(2_100, 2_900).under(0xb1).remote();
    let followed = || sent().span(run(0xcc, 0xb2)).span(inner());
    assert_eq!(places(followed()), ["publish", "task-context"]);
    let fixes = fixes_of(followed(), "context-in-body");
    assert!(fixes[0].steps[1].lines.iter().any(|line| line == "ctx = current_context()"));
}

#[test]
fn one_vendors_context_is_mended_by_what_was_seen() {
    let datadog = || message("t1").header("x-datadog-trace-id", "170").header("x-datadog-parent-id", "177");
    let switch = "DD_TRACE_PROPAGATION_STYLE=datadog,tracecontext";
    pastes(queued(datadog()), "foreign-context-only", switch);
    // OpenTelemetry is there too.
    let traced = || queued(datadog()).span(server());
    mends(traced().span(run(0xcc, 0xb2)), "foreign-context-only", &[AT_PUBLISH, BY_SIGNAL]);
    // Its instrumentor made both spans: only the propagators differ.
    let both = traced().span(producer(0xaa, 0xb1).under(0xb0)).span(run(0xcc, 0xb2));
    let title = "set the same propagators on both sides, in code";
    mends(both, "foreign-context-only", &[title]);
}

#[test]
fn the_senders_own_context_stays() {
    let b3 = "000000000000000000000000000000cc-00000000000000c1-1";
    let both = || message("t1").header("traceparent", TRACEPARENT).header("b3", b3);
    let sent = || queued(both()).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let title = "leave the headers to w3c";
    mends(sent().span(run(0xcc, 0xb2).under(0xc1).remote()), "conflicting-contexts", &[title]);
    let title = "drop the headers of other traces, and write the context of the current span";
    mends(queued(both()), "conflicting-contexts", &[title]);
}

#[test]
fn only_an_id_can_be_pasted_into_a_message() {
    let lacking = |part| queued(message("t1").header("traceparent", TRACEPARENT).without(part));
    pastes(lacking("/headers/id"), "unreadable-message", "headers[\"id\"] = str(uuid4())");
    assert!(fixes_of(lacking("/content-type"), "unreadable-message")[0].steps[0].lines.is_empty());
}
