//! 3xx: what a worker makes of it.

use super::*;

#[test]
fn tl301_propagator_mismatch() {
    let b3 = || message("t1").header("b3", "000000000000000000000000000000aa-00000000000000b1-1");
    let sent = |message| queued(message).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    says(sent(b3()).span(run(0xcc, 0xb2)), "propagator-mismatch", Error);
    let both_sides = || sent(b3()).span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(both_sides(), "propagator-mismatch");
    is_healthy(both_sides());
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
    // Spans alone do not show that a worker took it.
    let sent = || Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let job = |at: u64| span("report-job", "nightly", "internal", 0xcc, 0xb3).at(at, at + 100);
    says(sent().span(job(2_000)), "worker-not-instrumented", (Warning, Possible));
    // What worked before anything was published runs no tasks.
    let before = || sent().span(job(50)).span(job(2_000).numbered(0xb4).in_trace(0xcd));
    is_silent(before(), "worker-not-instrumented");
    is_healthy(before());
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
    let traceback = |last: &str| {
        format!(
            "Traceback (most recent call last):\n  File \"/srv/tasks.py\", line 9, in work\n    {last}\n\
             \x20 File \"/usr/lib/python3.11/json/decoder.py\", line 355, in raw_decode\n    raise JSONDecodeError\n"
        )
    };
    // To ship an order takes a carrier too.
    let shipping = || traceback("rates = json.loads(carrier_response.text)");
    let unreadable = "Expecting value: line 1 column 1 (char 0)";
    is_silent(failed("JSONDecodeError", unreadable, &shipping()), "worker-crashed-reading-context");
    is_silent(
        failed("AttributeError", none, &traceback("carrier.get('rate')")),
        "worker-crashed-reading-context",
    );
    let read = traceback("ctx = extract(json.loads(self.request.headers['ctx']))");
    says(failed("JSONDecodeError", unreadable, &read), "worker-crashed-reading-context", (Error, Certain));
    // A header may be of anything.
    let tenant = traceback("tenant = self.request.headers.get('tenant')");
    says(failed("AttributeError", none, &tenant), "worker-crashed-reading-context", (Error, Likely));
    // The run continued the trace, so that it had read the context.
    let whole = || {
        let failure = json!({"status": "FAILURE", "traceback": read, "result": {"exc_type": "JSONDecodeError", "exc_message": [unreadable]}});
        healthy().look(10_000, |look| look.worker().result("t1", failure))
    };
    is_silent(whole(), "worker-crashed-reading-context");
    is_healthy(whole());
}
