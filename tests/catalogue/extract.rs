//! 3xx: what a worker makes of it.

use tracelink::model::{Side, Step};

use super::*;
use crate::scene::SpanBuilder;

#[test]
fn tl301_propagator_mismatch() {
    let b3 = || message("t1").header("b3", "000000000000000000000000000000aa-00000000000000b1-1");
    let sent = |message| queued(message).span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    says(sent(b3()).span(run(0xcc, 0xb2)), "propagator-mismatch", (Error, Certain));
    // A distribution sets the propagators, and has a switch of its own.
    for (key, value) in [("logfire.version", "4.2.0"), ("telemetry.distro.name", "vendor")] {
        let of_distribution = sent(b3()).span(run(0xcc, 0xb2).of_distribution(key, value));
        says(of_distribution, "propagator-mismatch", (Error, Likely));
    }
    let both_sides = || sent(b3()).span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(both_sides(), "propagator-mismatch");
    is_healthy(both_sides());
    // Links instead of parents are right.
    is_healthy(sent(b3()).span(run(0xcc, 0xb2).link(0xaa, 0xb1)));
    // Node has B3 with its SDK: pip installs for the worker alone.
    let js = |span: SpanBuilder| span.of_distribution("telemetry.sdk.language", "nodejs");
    let of_node = queued(b3()).span(js(server())).span(js(producer(0xaa, 0xb1).under(0xb0)));
    let fixes = fixes_of(of_node.span(run(0xcc, 0xb2)), "propagator-mismatch");
    for fix in &fixes {
        let installed = |step: &Step| (step.side, step.installs.clone());
        let steps: Vec<_> = fix.steps.iter().map(installed).collect();
        let b3 = vec!["opentelemetry-propagator-b3".into()];
        assert_eq!(steps, [(Side::Producer, vec![]), (Side::Worker, b3)], "{}", fix.title);
    }
    assert!(!fixes.is_empty());
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
    // What a worker alone asks of Redis shows that its SDK is at work.
    let asks = |service: &str, name: &str| {
        span(service, name, "client", 0xcc, 0xb3).at(2_000, 2_001).text("db.system", "redis")
    };
    let holds = |service: &str| asks(service, "ZADD HSET");
    let stores = |service: &str| asks(service, "SETEX PUBLISH").numbered(0xb5).in_trace(0xce);
    let sends_both = || sent().span(holds("worker")).span(stores("worker"));
    says(sends_both(), "worker-not-instrumented", (Error, Likely));
    is_silent(sends_both().span(run(0xcd, 0xb4)), "worker-not-instrumented");
    is_silent(sent().span(holds("api")), "worker-not-instrumented");
    // A result without the call that stored it: the pool's children send nothing.
    is_silent(sent().span(holds("worker")), "worker-not-instrumented");
    is_silent(sent().span(holds("worker")).span(stores("api")), "worker-not-instrumented");
    let without_result = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(9_000, scene::Look::worker)
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
    };
    says(without_result().span(holds("worker")), "worker-not-instrumented", (Error, Likely));
    // A worker that did something when it began, and lost the span of a run.
    let boot = || span("worker", "boot", "internal", 0xcc, 0xb3).at(2_000, 2_100);
    let step = span("worker", "send_mail", "internal", 0xaa, 0xb4).at(2_200, 2_300).under(0xfa).local();
    says(sent().span(boot()), "worker-not-instrumented", Error);
    is_silent(sent().span(boot()).span(step), "worker-not-instrumented");
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
    // A header and an argument are no twins.
    let argument = json!({"ctx": {"traceparent": "00-000000000000000000000000000000aa-00000000000000b0-01"}});
    let argued = message("t1").header("traceparent", TRACEPARENT).kwargs(argument);
    is_silent(queued(argued), "duplicate-consumer-spans");
    // Taken back when the spans show one consumer.
    let one = queued(predicted())
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(one, "duplicate-consumer-spans");
    // Its parent is made up: that is the cause of both.
    let made_up = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(run(0xaa, 0xb2).under(0xb1).remote())
            .span(twin(0xfa).remote())
    };
    says(made_up(), "fabricated-parent", (Error, Likely));
    is_silent(made_up(), "duplicate-consumer-spans");
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

#[test]
fn tl308_fabricated_parent() {
    let sent = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
    };
    let step = |parent: u64| span("worker", "work", "internal", 0xaa, 0xb2).at(2_000, 2_900).under(parent);
    let made_up =
        || sent().span(step(0xfa).remote()).span(step(0xfa).remote().numbered(0xb3).at(2_910, 2_950));
    says(made_up(), "fabricated-parent", (Error, Likely));
    for slug in ["worker-silent", "parent-not-exported"] {
        is_silent(made_up(), slug);
    }
    // The instrumentor's run, and one by hand of an SDK that sends no flags.
    says(sent().span(run(0xaa, 0xb2).under(0xfa).remote()), "fabricated-parent", Error);
    let by_hand = span("worker", "work", "consumer", 0xaa, 0xb2).at(2_000, 2_900).under(0xfa).without_flags();
    says(sent().span(by_hand), "fabricated-parent", Error);
    // Inside of the instrumentor's run, by the same process.
    let inside = sent()
        .span(run(0xaa, 0xb2).under(0xb1).remote())
        .span(step(0xfa).at(2_100, 2_200).remote().numbered(0xb5));
    says(inside, "fabricated-parent", Error);
    // The same, where the message was taken before a look saw it.
    let unseen = |request: bool| {
        let scene = if request { Scene::default().span(server()) } else { Scene::default() };
        scene
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(run(0xaa, 0xb2).under(0xb1).remote())
            .span(step(0xfa).at(2_100, 2_200).remote().numbered(0xb5))
    };
    says(unseen(true), "fabricated-parent", Error);
    is_silent(unseen(true), "parent-not-exported");
    // The request has not ended: the task may follow what is above it.
    is_silent(unseen(false), "fabricated-parent");
    // The last look was before the run.
    let seen_once = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
    };
    says(seen_once().span(step(0xfa).remote()), "fabricated-parent", Error);
    is_silent(seen_once().span(step(0xfa).at(500, 900).remote()), "fabricated-parent");
    // A step that the worker lost is its own.
    is_silent(sent().span(step(0xfa).local()), "fabricated-parent");
    // What the sender did not export may be anybody's.
    let alone =
        queued(message("t1").header("traceparent", TRACEPARENT)).span(run(0xaa, 0xb2).under(0xfa).remote());
    is_silent(alone, "fabricated-parent");
    // The task's own run is there: another program follows a caller that sends nothing.
    let other = || {
        sent().span(run(0xaa, 0xb2).under(0xb1).remote()).span(step(0xfa).remote().of("stock").numbered(0xb5))
    };
    is_silent(other(), "fabricated-parent");
    // It follows the request from the task's arguments.
    is_silent(sent().span(step(0xb0).remote()), "fabricated-parent");
    // The context of another message, which carries it.
    let second = "00-000000000000000000000000000000aa-00000000000000fa-01";
    let two = queued(message("t1").header("traceparent", TRACEPARENT))
        .look(1_500, |look| look.ready(message("t2").header("traceparent", second)))
        .span(server())
        .span(producer(0xaa, 0xb1).under(0xb0))
        .span(step(0xfa).remote());
    is_silent(two, "fabricated-parent");
}

#[test]
fn tl309_context_attached_twice() {
    let step = || span("worker", "charge", "internal", 0xaa, 0xb5).at(2_100, 2_800).under(0xb1);
    says(healthy().span(step().remote()), "context-attached-twice", (Warning, Likely));
    says(healthy().span(step().without_flags()), "context-attached-twice", Warning);
    let identified = || {
        Scene::default()
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
            .span(run(0xaa, 0xb2).under(0xb1).remote().instance("w1"))
    };
    says(identified().span(step().remote().instance("w1")), "context-attached-twice", (Warning, Certain));
    // Another process does something at the same time.
    is_silent(identified().span(step().remote().instance("w2")), "context-attached-twice");
    is_silent(healthy().span(step().remote().of("stock")), "context-attached-twice");
    // The task's own work, below the run.
    is_healthy(healthy().span(step().under(0xb2)));
    // After the run.
    is_silent(healthy().span(step().remote().at(3_100, 3_200)), "context-attached-twice");
    // A part of the sender, which may be of the same process: a worker that
    // publishes to itself.
    let push = || span("worker", "LPUSH", "client", 0xaa, 0xb6).at(2_010, 2_020).under(0xb1).local();
    is_silent(healthy().span(push()), "context-attached-twice");
    let shared = Scene::default()
        .span(server().of("shop").at(0, 9_000).without_flags())
        .span(producer(0xaa, 0xb1).of("shop").under(0xb0).without_flags())
        .span(run(0xaa, 0xb2).of("shop").under(0xb0).without_flags())
        .span(span("shop", "wait", "internal", 0xaa, 0xb7).at(2_100, 2_200).under(0xb0).without_flags());
    is_silent(shared, "context-attached-twice");
    // One carrier for two messages, of which one is run by hand.
    let shared = "00-000000000000000000000000000000aa-00000000000000b0-01";
    let two = Scene::default()
        .look(1_000, |look| {
            look.ready(message("t1").header("traceparent", shared))
                .ready(message("t2").header("traceparent", shared))
        })
        .span(server())
        .span(run(0xaa, 0xb2).under(0xb0).remote())
        .span(step().under(0xb0).remote());
    is_silent(two, "context-attached-twice");
    // A second consumer span is said by itself.
    is_silent(
        healthy().span(span("worker", "work", "consumer", 0xaa, 0xb3).at(2_100, 2_900).under(0xb1).remote()),
        "context-attached-twice",
    );
}

#[test]
fn tl310_context_detached_in_run() {
    let root =
        |n: u8, start: u64| span("worker", "resize", "internal", 0xd0 + n, 0xd0 + n).at(start, start + 50);
    let again = |n: u8, start: u64| {
        run(0xe0 + n, 0xe0 + n).at(start, start + 500).text("messaging.message.id", &format!("t{n}"))
    };
    says(healthy().span(root(1, 2_100)), "context-detached-in-run", (Warning, Possible));
    let two =
        || healthy().span(root(1, 2_100)).span(again(2, 4_000).under(0xf1).remote()).span(root(2, 4_100));
    says(two(), "context-detached-in-run", (Warning, Likely));
    // One of that name lies outside: a thread of the process's own.
    is_silent(two().span(root(3, 3_200)), "context-detached-in-run");
    // It ends after the run.
    is_silent(healthy().span(root(1, 2_100).at(2_100, 3_100)), "context-detached-in-run");
    // By choice: it links to the run, or to what that continues.
    for id in [0xb2, 0xb1] {
        is_silent(healthy().span(root(1, 2_100).link(0xaa, id)), "context-detached-in-run");
    }
    says(healthy().span(root(1, 2_100).link(0xee, 0xe1)), "context-detached-in-run", Warning);
    // A worker's polling makes dozens of CLIENT roots.
    let polling = span("worker", "ZADD", "client", 0xd1, 0xd1).at(2_100, 2_110);
    is_silent(healthy().span(polling), "context-detached-in-run");
    // Another process's.
    is_silent(healthy().span(root(1, 2_100).of("cron")), "context-detached-in-run");
    // A heartbeat inside of the one run that takes all of the time.
    let beats = (1..=8).fold(Scene::default().span(again(1, 0).at(0, 60_000)), |scene, n| {
        scene.span(root(n, 7_000 * u64::from(n)))
    });
    is_silent(beats, "context-detached-in-run");
    // Another process of the service ran a task whose run was not seen: it may be of that.
    let ran = |look: scene::Look| look.result("t9", json!({"status": "SUCCESS"}));
    let missed = || healthy().look(9_500, ran).span(root(1, 2_100));
    is_silent(missed(), "context-detached-in-run");
    // A background thread that fell into one of many runs.
    let busy = (1..=8).fold(Scene::default(), |scene, n| scene.span(again(n, 1_000 * u64::from(n))));
    is_silent(busy.span(root(1, 3_100)), "context-detached-in-run");
}

#[test]
fn tl311_batch_run_without_links() {
    let of = |n: u8| format!("t{n}");
    let traceparent = |n: u8| format!("00-{n:032x}-{n:016x}-01");
    let sent = || {
        let scene = Scene::default().look(1_000, |look| {
            (1..=3).fold(look, |look, n| look.ready(message(&of(n)).header("traceparent", traceparent(n))))
        });
        let results = |look| {
            (1..=3).fold(look, |look: scene::Look, n| look.result(&of(n), json!({"status": "SUCCESS"})))
        };
        (1..=3).fold(scene.look(9_000, |look| results(look.worker())), |scene, n| {
            scene.span(producer(n, n).text("messaging.message.id", &of(n)))
        })
    };
    let batch = || {
        span("worker", "run/work", "consumer", 0xcc, 0xc1)
            .at(2_000, 3_000)
            .text("celery.action", "run")
            .text("celery.task_name", "work")
    };
    let below = |kind: &str| span("worker", "store", kind, 0xcc, 0xc2).at(2_100, 2_900).under(0xc1);
    says(sent().span(batch()).span(below("internal")), "batch-run-without-links", Warning);
    for slug in ["worker-silent", "extract-result-ignored", "orphaned-consumer"] {
        is_silent(sent().span(batch()).span(below("internal")), slug);
    }
    // Spans alone, and the run alone.
    let spans = |last: u8| {
        (1..=last).fold(Scene::default(), |scene, n| {
            scene.span(producer(n, n).text("messaging.message.id", &of(n)))
        })
    };
    says(spans(3).span(batch()), "batch-run-without-links", Warning);
    says(Scene::default().span(batch()), "batch-run-without-links", Warning);
    // With links, on the run or below it, by a span of any kind.
    for kind in ["consumer", "internal"] {
        let linked = || sent().span(batch()).span(below(kind).links(&[(1, 1), (2, 2), (3, 3)]));
        is_healthy(linked());
        is_silent(linked(), "batch-run-without-links");
        is_silent(linked(), "worker-silent");
    }
    is_healthy(sent().span(batch().links(&[(1, 1), (2, 2), (3, 3)])));
    // Messages that wait were not taken.
    let waits = queued(message("t1").header("traceparent", TRACEPARENT)).span(producer(0xaa, 0xb1));
    is_silent(waits, "batch-run-without-links");
}
