//! Evidence like that of real programs, as nobody captured it yet: other
//! workers, several faults at once, and what looks like a fault and is none.
//!
//! Over 400 lines, since it is a list of scenes that share the builders at its head.

mod fan_out;
#[path = "../scene/mod.rs"]
mod scene;
mod strangers;

use scene::{Look, MessageBuilder, Scene, SpanBuilder, message, span};
use serde_json::json;
use tracelink::model::{Confidence, Finding, Report, Severity};

const TRACEPARENT: &str = "00-000000000000000000000000000000aa-00000000000000b1-01";
/// The same trace, handed over by hand: the SERVER span's own context.
const BY_HAND: &str = "00-000000000000000000000000000000aa-00000000000000b0-01";

fn server() -> SpanBuilder {
    span("api", "POST /orders", "server", 0xaa, 0xb0).at(0, 500)
}

fn producer(id: u8, task: &str) -> SpanBuilder {
    span("api", "apply_async/work", "producer", 0xaa, id)
        .at(100, 110)
        .under(0xb0)
        .text("celery.action", "apply_async")
        .text("messaging.message.id", task)
        .text("celery.task_name", "work")
        .text("messaging.destination", "celery")
}

fn run(trace: u8, id: u8, task: &str) -> SpanBuilder {
    span("worker", "run/work", "consumer", trace, id)
        .at(2_000, 3_000)
        .text("celery.action", "run")
        .text("messaging.message.id", task)
        .text("celery.task_name", "work")
        .text("celery.hostname", "gen7@web-1")
}

/// A span without a kind, inside of a worker.
fn step(trace: u8, id: u8) -> SpanBuilder {
    span("worker", "step", "internal", trace, id).at(2_100, 2_200).local()
}

fn success(look: Look, id: &str) -> Look {
    look.worker().result(id, json!({"status": "SUCCESS", "date_done": "2026-11-22T19:49:57.100000+00:00"}))
}

/// A task that was queued, taken and finished, with the API's spans of it.
fn finished(message: MessageBuilder) -> Scene {
    Scene::default()
        .look(1_000, |look| look.ready(message))
        .look(9_000, |look| success(look, "t1"))
        .span(server())
}

fn instrumented() -> Scene {
    finished(message("t1").header("traceparent", TRACEPARENT)).span(producer(0xb1, "t1"))
}

fn by_hand() -> Scene {
    let carrier = json!({"traceparent": BY_HAND}).to_string();
    finished(message("t1").header("trace_context", carrier))
}

fn loud(report: &Report) -> Vec<&'static str> {
    let loud = report.findings.iter().filter(|finding| finding.severity < Severity::Note);
    loud.map(|finding| finding.slug).collect()
}

/// Exactly these are said at warning or above, in this order.
fn says(scene: Scene, slugs: &[&str]) {
    let report = scene.report();
    assert_eq!(loud(&report), slugs, "{:#?}", report.findings);
}

fn finding(scene: Scene, slug: &str) -> Finding {
    let report = scene.report();
    let found = report.findings.iter().find(|finding| finding.slug == slug).cloned();
    found.unwrap_or_else(|| panic!("no {slug} among {:?}", loud(&report)))
}

fn names(finding: &Finding, alternative: &str) -> bool {
    finding.alternatives.iter().any(|other| other.slug == alternative)
}

mod parts_of_a_run {
    use super::*;

    #[test]
    fn below_a_run_that_never_ended() {
        for scene in [instrumented(), by_hand()] {
            says(scene.span(step(0xaa, 0xc1).under(0xbf)), &["parent-not-ended"]);
        }
        // The API's spans never came either: what began when the message was there
        // already is the worker's.
        let worker_only = |seen: u64| {
            Scene::default()
                .look(seen, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
                .look(9_000, |look| success(look, "t1"))
                .span(step(0xaa, 0xc1).under(0xbf))
        };
        says(worker_only(1_000), &["parent-not-ended"]);
        // It may as well be what is left of the API: the trace is all that they share.
        let found = finding(worker_only(5_000), "worker-silent");
        assert_eq!(found.confidence, Confidence::Likely);
        assert!(names(&found, "parent-not-ended"), "{found:#?}");
    }

    #[test]
    fn of_an_exporter_that_does_not_say_where_a_parent_is() {
        // Python's before 1.27 sends no flags: of what is neither a request nor a
        // run the parent is a span of its own process, unless a message names it.
        says(instrumented().span(step(0xaa, 0xc1).under(0xbf).without_flags()), &["parent-not-ended"]);
    }

    #[test]
    fn of_a_worker_whose_clock_is_behind() {
        says(instrumented().span(step(0xaa, 0xc1).under(0xbf).at(0, 50)), &["parent-not-ended"]);
    }

    #[test]
    fn of_a_worker_under_the_name_of_its_api() {
        // Neither sends a `service.instance.id`.
        let lost = step(0xaa, 0xc1).under(0xbf).of("api");
        says(by_hand().span(lost), &["parent-not-ended"]);
    }

    #[test]
    fn which_are_not_the_workers() {
        // The gateway above the API leaks a span of its own.
        let gateway = |id: u8| span("gateway", "plan", "internal", 0xaa, id).at(10, 20).under(0xbf).local();
        let scene = || {
            Scene::default()
                .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
                .look(9_000, |look| success(look, "t1"))
                .span(server().under(0xa9).remote())
                .span(producer(0xb1, "t1"))
                .span(span("gateway", "POST", "client", 0xaa, 0xa9).at(0, 500).under(0xbf).local())
        };
        assert!(loud(&scene().span(gateway(0xc1)).report()).contains(&"worker-silent"));
        // So does another API that serves the same page.
        let other = instrumented()
            .span(span("stock", "GET /stock", "server", 0xbb, 0xd1).at(0, 9))
            .span(span("stock", "read", "internal", 0xaa, 0xc1).at(300, 310).under(0xbf).local());
        assert!(loud(&other.report()).contains(&"worker-silent"));
    }

    #[test]
    fn in_a_trace_of_their_own() {
        // The run took no context up and never ended: its parts have no root.
        let loose = step(0xcc, 0xc1).under(0xbf);
        let found = finding(instrumented().span(loose), "worker-silent");
        assert_eq!(found.confidence, Confidence::Likely);
        assert!(names(&found, "parent-not-ended"), "{found:#?}");
        // Of another time, or of the API, they say nothing of the run.
        for unrelated in [
            step(0xcc, 0xc1).under(0xbf).at(60_000, 60_010),
            step(0xcc, 0xc1).under(0xbf).of("api"),
            step(0xcc, 0xc1).under(0xbf).remote(),
        ] {
            let report = instrumented().span(unrelated).report();
            let found = report.findings.iter().find(|finding| finding.slug == "worker-silent");
            assert!(found.is_some_and(|found| !names(found, "parent-not-ended")), "{found:#?}");
        }
    }

    #[test]
    fn inside_a_run_that_has_ended() {
        let leaked = || step(0xaa, 0xc1).under(0xbf);
        let ended = || run(0xaa, 0xb2, "t1").under(0xb1).remote();
        says(instrumented().span(ended()).span(leaked()), &["parent-not-ended"]);
        // From spans alone too: the run is over.
        let spans = Scene::default().span(server()).span(producer(0xb1, "t1")).span(ended());
        says(spans.span(leaked()), &["parent-not-ended"]);
        let made_by_hand =
            span("worker", "work", "consumer", 0xaa, 0xb2).at(2_000, 3_000).under(0xb0).remote();
        says(by_hand().span(made_by_hand).span(leaked()), &["parent-not-ended"]);
        // A thread of the run goes on after it, and in a file nothing is to come.
        let thread =
            instrumented().span(ended()).span(leaked()).span(step(0xaa, 0xc2).under(0xbf).at(3_400, 3_500));
        says(thread, &["parent-not-ended"]);
    }

    #[test]
    fn of_another_task_that_still_runs() {
        // Two tasks of one request in a worker with threads: one is done, the
        // other has exported a child before itself.
        let scene = || {
            Scene::default()
                .span(server())
                .span(producer(0xb1, "t1"))
                .span(producer(0xb3, "t2"))
                .span(run(0xaa, 0xb2, "t1").under(0xb1).remote())
                .span(step(0xaa, 0xc1).under(0xb4))
        };
        says(scene(), &[]);
        // One is done and its worker is silent, the other runs.
        let other = "00-000000000000000000000000000000aa-00000000000000b3-01";
        let queued = |look: Look| {
            look.ready(message("t1").header("traceparent", TRACEPARENT))
                .ready(message("t2").header("traceparent", other))
        };
        let one_runs = Scene::default()
            .look(1_000, queued)
            .look(9_000, |look| success(look, "t1"))
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(producer(0xb3, "t2"))
            .span(step(0xaa, 0xc1).under(0xb4));
        assert!(!loud(&one_runs.report()).contains(&"parent-not-ended"));
    }

    #[test]
    fn of_a_process_that_was_killed() {
        let lost = json!({"status": "FAILURE", "result": {"exc_type": "WorkerLostError", "exc_message": ["signal 9"]}});
        let scene = Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(9_000, |look| look.worker().result("t1", lost))
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(step(0xaa, 0xc1).under(0xbf));
        says(scene, &["worker-killed"]);
    }
}

mod runs_made_by_hand {
    use super::*;

    #[test]
    fn without_a_kind() {
        let run = || span("worker", "handle order", "internal", 0xaa, 0xb2).at(2_000, 3_000).under(0xb0);
        says(by_hand().span(run().remote()), &[]);
        says(by_hand().span(run().without_flags()), &[]);
        // Linked instead of hung below.
        let linked = span("worker", "handle order", "internal", 0xcc, 0xb2).at(2_000, 3_000).link(0xaa, 0xb0);
        says(by_hand().span(linked), &[]);
        let consumer =
            span("worker", "handle order", "consumer", 0xcc, 0xb2).at(2_000, 3_000).link(0xaa, 0xb0);
        says(by_hand().span(consumer), &[]);
        // No span at all: the context is attached, and the calls hang below it.
        let call = span("worker", "SELECT", "client", 0xaa, 0xb2).at(2_000, 2_010).under(0xb0).remote();
        says(by_hand().span(call.text("db.system", "postgresql")), &[]);
    }

    #[test]
    fn beside_the_instrumentors() {
        let beside = |kind: &str, parent: u64| {
            let twin = span("worker", "work", kind, 0xaa, 0xb5).at(2_100, 2_900).under(parent);
            let twin = if parent == 0xb2 { twin.local() } else { twin.remote() };
            instrumented().span(run(0xaa, 0xb2, "t1").under(0xb1).remote()).span(twin)
        };
        says(beside("consumer", 0xb1), &["duplicate-consumer-spans"]);
        says(beside("internal", 0xb1), &["context-attached-twice"]);
        says(beside("consumer", 0xb2), &[]);
        says(beside("internal", 0xb2), &[]);
    }

    #[test]
    fn that_name_the_task() {
        let named = |trace: u8| {
            span("worker", "handle", "consumer", trace, 0xb2)
                .at(2_000, 3_000)
                .text("messaging.system", "celery")
                .text("messaging.message.id", "t1")
        };
        // Joined by the id: two tasks of one name, and each its own run.
        says(by_hand().span(named(0xcc)), &["carrier-key-mismatch"]);
        says(by_hand().span(named(0xaa).under(0xb0).remote()), &[]);
        // The id of something else is no reason to call the worker silent.
        let other = named(0xcc).text("messaging.message.id", "order-7");
        says(by_hand().span(other), &["carrier-key-mismatch"]);
    }

    #[test]
    fn of_another_system() {
        let kafka = span("stream", "orders process", "consumer", 0xaa, 0xc1)
            .at(2_000, 2_100)
            .under(0xbe)
            .remote()
            .text("messaging.system", "kafka");
        says(Scene::default().span(kafka), &[]);
    }

    #[test]
    fn of_a_format_that_nobody_reads() {
        let b3 = |trace: u8, id: u8| json!({"x-b3-traceid": format!("{trace:032x}"), "x-b3-spanid": format!("{id:016x}"), "x-b3-sampled": "1"});
        let root = || span("worker", "work", "consumer", 0xcc, 0xb2).at(2_000, 3_000);
        let carried = || finished(message("t1").header("trace_context", b3(0xaa, 0xb0).to_string()));
        let found = finding(carried().span(root()), "propagator-mismatch");
        assert_eq!(found.confidence, Confidence::Likely);
        assert!(names(&found, "carrier-key-mismatch") && names(&found, "extract-result-ignored"));
        let single =
            finished(message("t1").header("b3", "000000000000000000000000000000aa-00000000000000b0-1"));
        let found = finding(single.span(root()), "propagator-mismatch");
        assert!(names(&found, "extract-result-ignored") && names(&found, "carrier-shape-mismatch"));
        let jaeger = "000000000000000000000000000000aa:00000000000000b0:0:1";
        let jaeger = finished(message("t1").header("ctx", json!({"uber-trace-id": jaeger}).to_string()));
        says(jaeger.span(root()), &["propagator-mismatch"]);
        // Of another message the same worker took B3 up: it is the key.
        let knows_it = carried()
            .look(1_000, |look| look.ready(message("t2").header("other", b3(0xdd, 0xd0).to_string())))
            .span(span("api", "POST /", "server", 0xdd, 0xd0).at(0, 10))
            .span(span("worker", "audit", "consumer", 0xdd, 0xd1).at(2_000, 3_000).under(0xd0).remote());
        says(knows_it.span(root()), &["carrier-key-mismatch"]);
        // W3C beside it: whoever reads by hand knows that.
        let both = json!({"traceparent": BY_HAND, "x-b3-traceid": format!("{:032x}", 0xaa), "x-b3-spanid": format!("{:016x}", 0xb0)});
        let both = finished(message("t1").header("trace_context", both.to_string()));
        says(both.span(root()), &["carrier-key-mismatch"]);
    }
}

mod retries {
    use super::*;

    fn attempt(trace: u8, id: u8, attempt: &str) -> SpanBuilder {
        span("worker", "work", "consumer", trace, id)
            .at(2_000, 3_000)
            .text("task.retry_count", attempt)
            .text("messaging.message.id", "8a4e6f0c-7d1b-4b57-9f0e-3b1c2d4e5f60")
    }

    #[test]
    fn that_lost_their_context_by_their_spans() {
        let first = || attempt(0xaa, 0xb2, "0").under(0xb0).remote();
        let found = finding(
            Scene::default().span(server()).span(first()).span(attempt(0xcc, 0xb3, "1")),
            "context-lost-on-retry",
        );
        assert_eq!(found.confidence, Confidence::Likely);
        // Both were roots: then it was lost before.
        let both =
            Scene::default().span(server()).span(attempt(0xdd, 0xb2, "0")).span(attempt(0xcc, 0xb3, "1"));
        assert!(loud(&both.report()).iter().all(|slug| *slug == "orphaned-consumer"));
        // Both are in the trace, or linked to it.
        says(
            Scene::default().span(server()).span(first()).span(attempt(0xaa, 0xb3, "1").under(0xb0).remote()),
            &[],
        );
        says(
            Scene::default().span(server()).span(first()).span(attempt(0xcc, 0xb3, "1").link(0xaa, 0xb0)),
            &[],
        );
        // Nothing says that they are of one task.
        let nameless =
            span("worker", "work", "consumer", 0xcc, 0xb3).at(4_000, 5_000).text("task.retry_count", "1");
        let found = finding(Scene::default().span(server()).span(nameless), "orphaned-consumer");
        assert!(names(&found, "context-lost-on-retry"));
    }

    #[test]
    fn that_lost_their_context_under_the_instrumentor() {
        let sent = || {
            Scene::default()
                .span(server())
                .span(producer(0xb1, "t1"))
                .span(run(0xaa, 0xb2, "t1").under(0xb1).remote().text("celery.state", "RETRY"))
        };
        let again = |trace: u8| run(trace, 0xb4, "t1").at(4_000, 5_000).int("celery.retries", 1);
        says(sent().span(again(0xcc)), &["context-lost-on-retry"]);
        // The worker's own PRODUCER span hands it on.
        let forwarded = || producer(0xb3, "t1").under(0xb2).at(2_900, 2_910).of("worker");
        says(sent().span(forwarded()).span(again(0xaa).under(0xb3).remote()), &[]);
        let unread = sent().span(forwarded()).span(again(0xcc)).report();
        assert!(!loud(&unread).contains(&"context-lost-on-retry"), "{:?}", loud(&unread));
    }
}

mod queues {
    use super::*;

    fn waiting(id: &str) -> MessageBuilder {
        message(id).header("traceparent", TRACEPARENT)
    }

    #[test]
    fn of_a_worker_without_remote_control() {
        // It binds no mailbox; that the queue moves shows it.
        let scene = Scene::default()
            .look(1_000, |look| look.ready(waiting("t1")).ready(waiting("t2")))
            .look(20_000, |look| look.ready(waiting("t2")));
        says(scene, &[]);
        let holds = Scene::default()
            .look(1_000, |look| look.ready(waiting("t1")))
            .look(20_000, |look| look.ready(waiting("t1")).held(waiting("t0")));
        says(holds, &[]);
    }

    #[test]
    fn of_a_task_that_is_due_later() {
        let later = || waiting("t1").header("eta", "2026-11-22T23:00:00+00:00");
        let scene = Scene::default()
            .look(1_000, |look| look.ready(later()))
            .look(20_000, |look| look.worker().held(later()))
            .span(server())
            .span(producer(0xb1, "t1"));
        says(scene, &[]);
    }

    #[test]
    fn of_two_brokers() {
        // Passed on from one to the other, where it waits.
        let moved = Scene::default()
            .look(1_000, |look| look.of("10.0.0.1:6379/0").ready(waiting("t1")))
            .look(9_000, |look| look.of("10.0.0.1:6379/0").worker())
            .look(9_000, |look| look.of("10.0.0.2:6379/0").worker().ready(waiting("t1")))
            .span(server())
            .span(producer(0xb1, "t1"));
        says(moved, &[]);
        // One API that is instrumented, at its broker; a script that is not, at another.
        let apart = Scene::default()
            .look(1_000, |look| look.of("10.0.0.1:6379/0").ready(waiting("t1").header("origin", "gen1@a")))
            .look(1_000, |look| look.of("10.0.0.2:6379/0").ready(message("t2").header("origin", "gen2@b")));
        assert!(!loud(&apart.report()).contains(&"some-producers-not-instrumented"));
    }

    #[test]
    fn of_a_task_that_was_to_expire() {
        let expiring = || waiting("t1").header("expires", "2026-11-22T20:10:00+00:00");
        let gone = Scene::default()
            .look(1_000, |look| look.ready(expiring()))
            .look(9_000_000, Look::worker)
            .span(server())
            .span(producer(0xb1, "t1"));
        let found = finding(gone, "task-expired");
        assert_eq!((found.confidence, found.severity), (Confidence::Likely, Severity::Note));
        assert!(names(&found, "worker-silent"));
        let late = Scene::default().look(9_000_000, |look| look.ready(expiring()));
        assert_eq!(finding(late, "task-expired").confidence, Confidence::Certain);
    }

    #[test]
    fn of_which_only_results_are_left() {
        let failed =
            json!({"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["no"]}});
        says(Scene::default().look(9_000, |look| success(look, "t1").result("t2", failed)), &[]);
        says(Scene::default().look(1_000, |look| look.ready(waiting("t1"))), &[]);
    }
}

mod several {
    use super::*;

    #[test]
    fn faults_at_once_are_several_findings() {
        // One order whose header is broken, one whose worker is silent, one that is well.
        let upper = "00-000000000000000000000000000000AA-00000000000000B0-01";
        let other = "00-000000000000000000000000000000dd-00000000000000d1-01";
        let scene = Scene::default()
            .look(1_000, |look| {
                look.ready(message("t1").header("traceparent", upper))
                    .ready(message("t2").header("traceparent", other))
                    .ready(message("t3").header("traceparent", TRACEPARENT))
            })
            .look(9_000, |look| success(success(look, "t2"), "t3"))
            .span(server())
            .span(producer(0xb1, "t3"))
            .span(run(0xaa, 0xb2, "t3").under(0xb1).remote())
            .span(span("api", "POST /", "server", 0xdd, 0xd1).at(0, 10));
        says(scene, &["malformed-traceparent", "worker-silent"]);
    }

    #[test]
    fn tasks_of_a_chain_with_one_silent_worker() {
        let next = "00-000000000000000000000000000000aa-00000000000000b3-01";
        let scene = Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(3_500, |look| {
                success(look, "t1").ready(message("t2").header("traceparent", next).header("parent_id", "t1"))
            })
            .look(9_000, |look| success(success(look, "t1"), "t2"))
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(run(0xaa, 0xb2, "t1").under(0xb1).remote())
            .span(producer(0xb3, "t2").under(0xb2).at(2_900, 2_910).of("worker"));
        let found = finding(scene, "worker-silent");
        assert!(found.handoffs.iter().eq(["t2"]), "{:?}", found.handoffs);
    }

    #[test]
    fn contexts_of_which_the_wrong_one_was_followed() {
        // The run hangs below a span that nobody has: that is not for want of an exporter.
        let b3 = "000000000000000000000000000000cc-00000000000000c1-1";
        let scene = finished(message("t1").header("traceparent", TRACEPARENT).header("b3", b3))
            .span(producer(0xb1, "t1"))
            .span(run(0xcc, 0xb2, "t1").under(0xc1).remote());
        says(scene, &["conflicting-contexts"]);
    }

    #[test]
    fn services_of_which_one_runs_no_tasks() {
        // Spans alone: one task waits, and a job of its own makes roots.
        let job = || span("report-job", "nightly", "internal", 0xee, 0xe1).at(2_000, 2_100);
        let sent = || Scene::default().span(server()).span(producer(0xb1, "t1")).span(producer(0xb3, "t2"));
        says(sent().span(run(0xaa, 0xb2, "t1").under(0xb1).remote()).span(job()), &[]);
    }

    #[test]
    fn roots_by_hand_of_which_one_may_be_the_tasks_are_never_sure() {
        let sentry = "000000000000000000000000000000aa-00000000000000b1-1";
        let root = || span("worker", "work", "consumer", 0xcc, 0xb2).at(2_000, 3_000);
        let foreign = finished(message("t1").header("sentry-trace", sentry)).span(root());
        assert_eq!(finding(foreign, "foreign-context-only").confidence, Confidence::Likely);
        let nested =
            finished(message("t1").header("headers", json!({"traceparent": TRACEPARENT}))).span(root());
        assert_eq!(finding(nested, "nested-context-only").confidence, Confidence::Likely);
    }
}
