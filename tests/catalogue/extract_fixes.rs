//! Where the fixes of a worker go.

use super::*;

#[test]
fn a_task_is_mended_at_its_own_span() {
    let by_hand = || span("worker", "my work", "consumer", 0xcc, 0xb2).at(2_000, 3_000);
    let carried = message("t1").header("my-trace", json!({"traceparent": TRACEPARENT}).to_string());
    let line = "carried = carried.get(\"my-trace\")";
    pastes(queued(carried).span(server()).span(by_hand()), "carrier-key-mismatch", line);
    let flat = || message("t1").header("traceparent", TRACEPARENT);
    let line = "\"my work\", context=ctx, kind=Kind.CONSUMER";
    pastes(queued(flat()).span(server()).span(by_hand()), "extract-result-ignored", line);
    // Nothing shows that the worker's propagators read W3C.
    let unread = queued(flat()).span(server()).span(by_hand());
    mends(
        unread,
        "extract-result-ignored",
        &[
            "read the headers of the message, and open the task's span in that",
            "read the headers of the message",
            "read what is written in the worker, in code",
        ],
    );
    let read = message("t2").header("traceparent", "00-000000000000000000000000000000dd-00000000000000d1-01");
    let reads = Scene::default()
        .look(1_000, |look| look.ready(flat()).ready(read))
        .span(by_hand())
        .span(run(0xdd, 0xd2).under(0xd1).remote().text("messaging.message.id", "t2"));
    assert_eq!(fixes_of(reads, "extract-result-ignored").len(), 2);
    let twin = span("worker", "work", "consumer", 0xaa, 0xb3).at(2_100, 2_900).under(0xb0).remote();
    let line = "with tracer.start_as_current_span(\"work\") as span:";
    pastes(healthy().span(twin), "duplicate-consumer-spans", line);
    // A made-up parent inside of the instrumentor's run, and one of a task's own run.
    let step = |parent: u64| span("worker", "work", "internal", 0xaa, 0xb5).at(2_000, 2_900).under(parent);
    let sent = || queued(flat()).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let inside = sent().span(run(0xaa, 0xb2).under(0xb1).remote()).span(step(0xfa).at(2_100, 2_200).remote());
    pastes(inside, "fabricated-parent", "ctx = current_context()");
    pastes(sent().span(step(0xfa).remote()), "fabricated-parent", "ctx = read_context(");
}

#[test]
fn spans_that_are_open_at_a_time_are_of_threads() {
    let root =
        |n: u8, start: u64, end: u64| span("worker", "resize", "internal", 0xd0 + n, 0xd0 + n).at(start, end);
    let threads = "carry the context into the threads that a task starts";
    let nested = "open the task's span below the run's, which is current";
    let two = |second: u64| healthy().span(root(1, 2_100, 2_300)).span(root(2, second, second + 100));
    mends(two(2_200), "context-detached-in-run", &[threads, nested]);
    mends(two(2_400), "context-detached-in-run", &[nested, threads]);
}

#[test]
fn a_worker_is_instrumented_where_its_sdk_is_set_up() {
    let job = || span("worker", "send_mail", "internal", 0xcc, 0xb3).at(2_000, 2_100);
    let by_code = || healthy_without_run().span(job());
    pastes(by_code(), "worker-not-instrumented", "CeleryInstrumentor().instrument()");
    let launched = fixes_of(healthy_without_run().span(job().zero_code()), "worker-not-instrumented");
    assert_eq!(launched[0].steps[0].kind, tracelink::model::StepKind::Install);
}

#[test]
fn logfire_has_a_switch_of_its_own() {
    let b3 = message("t1").header("b3", "000000000000000000000000000000aa-00000000000000b1-1");
    let sent = queued(b3).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let fixes = fixes_of(
        sent.span(run(0xcc, 0xb2).of_distribution("logfire.version", "4.2.0")),
        "propagator-mismatch",
    );
    assert_eq!(fixes[0].steps[0].place.name(), "propagators");
    assert!(fixes[0].steps[0].needs[0].contains("distributed_tracing=True"));
    assert_eq!(fixes[1].steps[0].lines, ["LOGFIRE_DISTRIBUTED_TRACING=true"]);
}
