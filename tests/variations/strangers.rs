//! What programs of other versions, languages and habits leave: found by running
//! some that nobody had run before.
//!
//! Over 400 lines, since it is a list of scenes, a program each.

use super::*;

mod messages_that_were_not_seen {
    use super::*;

    /// A run that began a trace of its own, of a message by this process.
    fn root(trace: u8, id: u8, task: &str, origin: &str) -> SpanBuilder {
        run(trace, id, task).text("celery.hostname", origin)
    }

    fn seen_without() -> Scene {
        Scene::default().look(1_000, |look| look.ready(message("t1"))).span(server()).span(root(
            0xcc,
            0xc1,
            "t1",
            "gen7@web-1",
        ))
    }

    #[test]
    fn are_judged_by_those_of_the_same_process() {
        let scene = seen_without().span(root(0xcd, 0xc2, "t2", "gen7@web-1"));
        let report = scene.report();
        assert_eq!(loud(&report), ["producer-not-instrumented"]);
        // One cause, of the message that was seen and of the other.
        assert_eq!((report.findings[0].confidence, report.findings[0].count), (Confidence::Likely, 2));
        // Of another process, of a worker's own name, or of a retry nothing is known.
        for other in [
            root(0xcd, 0xc2, "t2", "gen8@web-1"),
            root(0xcd, 0xc2, "t2", "celery@web-1"),
            root(0xcd, 0xc2, "t2", "gen7@web-1").int("celery.retries", 1),
        ] {
            says(seen_without().span(other), &["producer-not-instrumented", "orphaned-consumer"]);
        }
    }

    #[test]
    fn by_a_process_beside_those_that_always_send() {
        let other = "00-000000000000000000000000000000dd-00000000000000d1-01";
        let queued = |look: Look| {
            look.ready(message("t1"))
                .ready(message("t3").header("origin", "gen8@web-2").header("traceparent", other))
        };
        let scene = Scene::default()
            .look(1_000, queued)
            .span(server())
            .span(span("api", "POST /", "server", 0xdd, 0xd1).at(0, 10))
            .span(root(0xcd, 0xc2, "t2", "gen7@web-1"));
        let found = finding(scene, "some-producers-not-instrumented");
        assert_eq!(found.count, 2);
    }

    /// Two tasks of one API, whose message was seen of the first alone.
    fn half_seen(header: &str, value: &str) -> Report {
        let root = |trace: u8, id: u8, task: &str| run(trace, id, task).at(2_000, 3_000);
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header(header, value)))
            .look(9_000, |look| success(success(look, "t1"), "t2"))
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(producer(0xb2, "t2"))
            .span(root(0xcc, 0xc1, "t1"))
            .span(root(0xcd, 0xc2, "t2"))
            .report()
    }

    #[test]
    fn carry_what_the_others_of_their_producer_carry() {
        let xray = "Root=1-00000000-0000000000000000000000aa;Parent=00000000000000b1;Sampled=1";
        let b3 = "000000000000000000000000000000aa-00000000000000b1-1";
        for (header, value, slug, format) in [
            ("X-Amzn-Trace-Id", xray, "foreign-context-only", "xray"),
            ("b3", b3, "propagator-mismatch", "b3"),
        ] {
            let report = half_seen(header, value);
            assert_eq!(loud(&report), [slug]);
            // One cause, and no fix but those of what was seen.
            let found = &report.findings[0];
            assert_eq!((found.confidence, found.count), (Confidence::Certain, 2));
            for fix in &found.fixes {
                assert!(format!("{fix:?}").to_lowercase().contains(format), "{fix:#?}");
            }
        }
    }

    #[test]
    fn whoever_watched_the_broker_is_told_what_else_would_show_them() {
        let lonely = || root(0xcc, 0xc1, "t9", "gen7@web-1");
        let needs = |scene: Scene| finding(scene, "orphaned-consumer").needs.join("\n");
        assert!(needs(Scene::default().span(lonely())).contains("--broker, or"));
        let watched = Scene::default().look(1_000, Look::worker).span(lonely());
        assert!(needs(watched).contains("--broker-monitor"));
    }
}

mod publishers {
    use super::*;

    #[test]
    fn beside_a_service_that_is_instrumented_are_no_sure_thing() {
        // Of the API's own messages none was seen, and its instrumentor is at work.
        let scene = Scene::default()
            .look(1_000, |look| look.ready(message("t1")))
            .span(server())
            .span(producer(0xb1, "t2"))
            .span(run(0xaa, 0xb2, "t2").under(0xb1).remote());
        let found = finding(scene, "producer-not-instrumented");
        assert_eq!(found.confidence, Confidence::Likely);
        assert!(names(&found, "producer-sdk-disabled"), "{found:#?}");
    }

    #[test]
    fn with_tasks_of_their_own_may_be_schedulers() {
        let queued = |task: &'static str| {
            move |look: Look| {
                look.ready(message("t1").header("task", task))
                    .ready(message("t2").header("task", task))
                    .ready(message("t3").header("traceparent", TRACEPARENT).header("origin", "gen8@b"))
                    .ready(message("t4").header("traceparent", BY_HAND).header("origin", "gen8@b"))
            }
        };
        let own = finding(Scene::default().look(1_000, queued("nightly")), "some-producers-not-instrumented");
        assert_eq!((own.confidence, own.variant.as_deref()), (Confidence::Likely, Some("own-tasks")));
        let same = finding(Scene::default().look(1_000, queued("work")), "some-producers-not-instrumented");
        assert_eq!((same.confidence, same.variant), (Confidence::Likely, None));
    }

    #[test]
    fn of_django_celery_beat_name_their_entry() {
        says(
            Scene::default()
                .look(1_000, |look| look.ready(message("t1").header("periodic_task_name", "nightly"))),
            &[],
        );
    }

    #[test]
    fn that_are_schedulers_are_known_by_what_was_seen_of_them() {
        let tick =
            |id: &str| message(id).header("origin", "gen9@beat-1").header("periodic_task_name", "tick");
        let missed = |origin: &str| run(0xcc, 0xc1, "t9").text("celery.hostname", origin);
        let seen = || Scene::default().look(1_000, |look| look.worker().ready(tick("t1"))).span(server());
        says(seen().span(missed("gen9@beat-1")), &[]);
        says(seen().span(missed("gen7@web-1")), &["orphaned-consumer"]);
        // A process that also publishes other messages is none.
        let also = Scene::default().look(1_000, |look| {
            look.worker().ready(tick("t1")).ready(message("t2").header("origin", "gen9@beat-1"))
        });
        let also = also.span(server());
        says(also.span(missed("gen9@beat-1")), &["producer-not-instrumented"]);
    }

    #[test]
    fn of_another_language_need_no_python() {
        let found = finding(
            Scene::default().look(1_000, |look| look.ready(message("t1").header("lang", "js"))),
            "producer-not-instrumented",
        );
        assert_eq!(found.variant.as_deref(), Some("hand-made"));
        // Nobody sends spans but the worker: that it is no Celery comes first.
        let with_run = Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("lang", "js")))
            .span(run(0xcc, 0xc1, "t1").text("celery.hostname", "celery@w"));
        says(with_run, &["producer-not-instrumented"]);
    }
}

mod schedules {
    use super::*;

    /// A run of `nightly` that began a trace of its own.
    fn nightly(number: u8, at: u64) -> SpanBuilder {
        run(0xc0 + number, 0xd0 + number, &format!("n{number}"))
            .text("celery.task_name", "nightly")
            .at(at, at + 10)
    }

    fn scene(starts: [u64; 4]) -> Scene {
        let whole = Scene::default()
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(run(0xaa, 0xb2, "t1").under(0xb1).remote());
        (0..).zip(starts).fold(whole, |scene, (number, at)| scene.span(nightly(number, at)))
    }

    #[test]
    fn of_a_beat_that_does_not_say_so_are_a_note() {
        let report = scene([10_000, 12_005, 14_010, 16_000]).report();
        assert_eq!(loud(&report), [""; 0]);
        let found = report.findings.iter().find(|found| found.slug == "orphaned-consumer").expect("a note");
        assert_eq!((found.count, found.variant.as_deref()), (4, Some("scheduled")));
    }

    #[test]
    fn are_no_excuse_for_other_roots() {
        // Uneven; or each right after a request; or nothing else was ever handed over.
        says(scene([10_000, 12_000, 15_500, 16_000]), &["orphaned-consumer"]);
        let requests = [10_000u64, 12_000, 14_000, 16_000];
        let driven = (0..).zip(requests).fold(scene(requests), |scene, (number, at)| {
            scene.span(span("api", "POST /x", "server", 0xe0 + number, 0xe8 + number).at(at - 30, at - 10))
        });
        says(driven, &["orphaned-consumer"]);
        let alone =
            (0..).zip(requests).fold(Scene::default(), |scene, (number, at)| scene.span(nightly(number, at)));
        says(alone, &["orphaned-consumer"]);
        // What a root handed on itself is no sign of an instrumented producer.
        let chained = (0..)
            .zip(requests)
            .fold(Scene::default(), |scene, (number, at)| scene.span(nightly(number, at)))
            .span(producer(0xb1, "t1").of("worker").at(10_001, 10_002).under(0xd0).in_trace(0xc0))
            .span(run(0xc0, 0xb2, "t1").under(0xb1).remote().at(10_100, 10_200));
        says(chained, &["orphaned-consumer"]);
    }
}

mod odd_runs {
    use super::*;

    #[test]
    fn that_are_called_servers_are_runs() {
        let job = || span("worker", "job", "server", 0xaa, 0xc1).at(2_000, 3_000).under(0xb0).remote();
        says(by_hand().span(job()), &[]);
        // A request to another service is none, nor is one of the API itself.
        for other in [job().int("http.status_code", 200), job().of("api")] {
            says(by_hand().span(other), &["worker-silent"]);
        }
    }

    #[test]
    fn that_are_called_servers_publish_to_their_own_service() {
        let job = || span("worker", "job", "server", 0xaa, 0xc1).at(2_000, 3_000).under(0xb0).remote();
        let below = "00-000000000000000000000000000000aa-00000000000000c1-01";
        let scene = || {
            let carrier = json!({"traceparent": BY_HAND}).to_string();
            let carried = json!({"traceparent": below}).to_string();
            finished(message("t1").header("trace_context", carrier))
                .look(2_500, |look| {
                    look.ready(message("t2").header("trace_context", carried).header("parent_id", "t1"))
                })
                .look(9_500, |look| success(success(look, "t1"), "t2"))
                .span(job())
        };
        let sub = || span("worker", "sub", "server", 0xaa, 0xc2).at(3_500, 3_600).under(0xc1);
        says(scene().span(sub().remote()), &[]);
        // Within one request a server's parent is of its own process.
        says(scene().span(sub().local()), &["worker-silent"]);
    }

    #[test]
    fn that_were_rejected_are_no_doubles() {
        let again = |state: &str| {
            instrumented().span(run(0xaa, 0xb2, "t1").under(0xb1).remote().text("celery.state", state)).span(
                run(0xaa, 0xb3, "t1")
                    .under(0xb1)
                    .remote()
                    .at(3_100, 3_200)
                    .text("celery.delivery_info", "{'redelivered': True}"),
            )
        };
        says(again("REJECTED"), &[]);
        says(again("SUCCESS"), &["duplicate-execution"]);
    }

    #[test]
    fn that_begin_before_the_instrumentors_are_doubles() {
        let by_hand = |id: u8, start: u64, end: u64| {
            span("worker", "work", "consumer", 0xaa, id).at(start, end).remote()
        };
        let scene = || instrumented().span(run(0xaa, 0xb2, "t1").under(0xb1).remote());
        says(scene().span(by_hand(0xc1, 1_990, 2_990).under(0xb1)), &["duplicate-consumer-spans"]);
        // What ended before was another's, and so is what hangs elsewhere.
        says(scene().span(by_hand(0xc1, 1_900, 1_990).under(0xb1)), &[]);
        says(scene().span(by_hand(0xc1, 1_990, 2_990).under(0xb0)), &[]);
    }

    #[test]
    fn of_a_task_that_was_replaced_are_one_attempt() {
        // `self.replace` goes on under the same id.
        let scene = Scene::default()
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(run(0xaa, 0xb2, "t1").under(0xb1).remote())
            .span(producer(0xb3, "t1").of("worker").under(0xb2).at(2_500, 2_510))
            .span(run(0xaa, 0xb4, "t1").under(0xb3).remote().at(2_600, 2_700));
        let report = scene.report();
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert_eq!(report.inputs.handoffs, 1);
    }

    #[test]
    fn in_a_trace_of_half_an_id_are_named() {
        let whole = "000000000000000100000000000000aa";
        let scene =
            finished(message("t1").header("ot-tracer-traceid", "aa").header("ot-tracer-spanid", "b1"))
                .span(producer(0xb1, "t1").in_long_trace(whole))
                .span(run(0xaa, 0xb2, "t1").under(0xb1).remote());
        let found = finding(scene, "malformed-traceparent");
        assert_eq!((found.confidence, found.variant.as_deref()), (Confidence::Certain, Some("half-an-id")));
        // In the queue alone both may be read with ids of 64 bits.
        let queued = message("t1").header("ot-tracer-traceid", "aa").header("ot-tracer-spanid", "b1");
        says(Scene::default().look(1_000, |look| look.ready(queued)), &[]);
    }
}

mod sampling {
    use super::*;

    const UNSAMPLED: &str = "00-000000000000000000000000000000aa-00000000000000b1-00";

    fn run_alone(traceparent: &str) -> Scene {
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", traceparent)))
            .look(9_000, |look| success(look, "t1"))
            .span(run(0xaa, 0xb2, "t1").under(0xb1).remote())
    }

    #[test]
    fn of_a_worker_by_itself_leaves_half_a_trace() {
        let found = finding(run_alone(UNSAMPLED), "not-sampled");
        assert_eq!(found.variant.as_deref(), Some("worker-samples"));
        says(run_alone(UNSAMPLED), &["not-sampled"]);
        // The sender's span came all the same: nothing is missing.
        says(run_alone(UNSAMPLED).span(server()).span(producer(0xb1, "t1")), &[]);
    }

    #[test]
    fn is_what_else_a_missing_parent_may_be_for() {
        let sampled = finding(run_alone(TRACEPARENT), "parent-not-exported");
        assert_eq!(sampled.confidence, Confidence::Likely);
        assert!(!names(&sampled, "not-sampled"), "{sampled:#?}");
        let unseen = Scene::default().span(run(0xaa, 0xb2, "t1").under(0xb1).remote());
        let unseen = finding(unseen, "parent-not-exported");
        assert_eq!(unseen.confidence, Confidence::Likely);
        assert!(names(&unseen, "not-sampled"), "{unseen:#?}");
    }
}

mod waiting {
    use super::*;

    #[test]
    fn for_its_time_is_no_wait_for_a_worker() {
        let scene = |eta: &str| {
            let queued =
                |look: Look| look.ready(message("t1").header("traceparent", TRACEPARENT).header("eta", eta));
            Scene::default()
                .look(1_000, queued)
                .look(60_000, queued)
                .span(server())
                .span(producer(0xb1, "t1"))
        };
        says(scene("2026-11-22T19:50:00+00:00"), &["no-worker"]);
        says(scene("2026-11-23T19:50:00+00:00"), &[]);
        assert_eq!(finding(scene("2026-11-23T19:50:00+00:00"), "no-worker").severity, Severity::Note);
    }
}

mod collectors {
    use super::*;

    fn sent(id: u8) -> SpanBuilder {
        span("api", "GET /", "server", id, id).at(0, 5)
    }

    fn ran(id: u8) -> SpanBuilder {
        span("worker", "sweep", "internal", id, id).at(0, 5)
    }

    #[test]
    fn that_send_some_requests_again_are_no_second_exporter() {
        let mixed = |scene: Scene, id: u8| scene.request([sent(id), ran(id + 0x10)]);
        let twice = |scene, id| mixed(mixed(scene, id), id);
        let both = twice(twice(Scene::default(), 1), 2);
        says(both.request([ran(0x21)]), &[]);
        // All that came, came twice.
        let all = twice(twice(Scene::default(), 1), 2);
        let found = finding(all, "exported-twice");
        assert_eq!(found.confidence, Confidence::Likely);
        let many = (1..=5).fold(Scene::default(), twice);
        assert_eq!(finding(many, "exported-twice").confidence, Confidence::Certain);
    }

    #[test]
    fn are_not_needed_to_send_twice() {
        let twice = |scene: Scene, id| scene.request([sent(id)]).request([sent(id)]);
        says(twice(twice(Scene::default(), 1), 2).request([ran(3)]), &["exported-twice"]);
    }
}

mod busy_apis {
    use super::*;

    fn request(number: u64) -> SpanBuilder {
        let trace = u8::try_from(number).expect("a few");
        span("api", "POST /parcels", "server", trace, trace).at(number * 100, number * 100 + 99)
    }

    fn root(number: u64, at: u64) -> SpanBuilder {
        let trace = 0x80 + u8::try_from(number).expect("a few");
        span("api", "apply_async/work", "producer", trace, trace)
            .at(at, at + 5)
            .text("celery.action", "apply_async")
            .text("messaging.message.id", &format!("t{number}"))
            .text("celery.task_name", "work")
    }

    /// Twelve requests, one after the other, and publishes at these times.
    fn busy(roots: impl IntoIterator<Item = u64>) -> Scene {
        let requests = (1..=12).fold(Scene::default(), |scene, number| scene.span(request(number)));
        let roots = (1..).zip(roots);
        roots.fold(requests, |scene, (number, at)| scene.span(root(number, at)))
    }

    #[test]
    fn that_lose_the_context_of_each_request() {
        let found = finding(busy((1..=12).map(|number| number * 100 + 40)), "context-lost-before-publish");
        assert_eq!((found.count, found.confidence), (12, Confidence::Likely));
        let two_each = (1..=12).flat_map(|number| [number * 100 + 40, number * 100 + 50]);
        assert_eq!(finding(busy(two_each), "context-lost-before-publish").count, 24);
    }

    #[test]
    fn with_a_scheduler_are_let_be() {
        // Not one for each, though as many; and not as many.
        says(busy((1..=12).map(|number| 150 + number * 70)), &[]);
        says(busy((1..=11).map(|number| number * 100 + 40)), &[]);
        says(busy((1..=13).map(|number| 100 + number * 90)), &[]);
        // The requests published their own.
        let own = |scene: Scene, number: u64| {
            let trace = u8::try_from(number).expect("a few");
            let own = root(0x20 + number, number * 100 + 20).in_trace(trace).under(number);
            scene.span(own.text("messaging.message.id", &format!("own{number}")))
        };
        says((1..=12).fold(busy((1..=12).map(|number| number * 100 + 40)), own), &[]);
    }
}

mod workers_of_one_service {
    use super::*;

    /// One of two tasks ran where the instrumentor is, and the other where there
    /// is only an SDK.
    fn scene(instances: bool) -> Scene {
        let of = |span: SpanBuilder, instance: &str| if instances { span.instance(instance) } else { span };
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(9_000, |look| success(success(look, "t1"), "t2"))
            .span(server())
            .span(producer(0xb1, "t1"))
            .span(producer(0xb3, "t2"))
            .span(of(run(0xaa, 0xb2, "t2").under(0xb3).remote(), "w1"))
            .span(of(step(0xcc, 0xc1), "w2"))
    }

    #[test]
    fn of_which_one_is_not_instrumented() {
        // Told apart by their SDK, the second is seen to run no task.
        let found = finding(scene(true), "worker-not-instrumented");
        assert_eq!(found.confidence, Confidence::Likely);
        says(scene(true), &["worker-not-instrumented"]);
        // Otherwise its roots may be anything's.
        says(scene(false), &["worker-silent"]);
        let found = finding(scene(false), "worker-silent");
        assert_eq!(found.confidence, Confidence::Likely);
        assert!(names(&found, "worker-not-instrumented"), "{found:#?}");
    }
}

mod called_services {
    use super::*;

    #[test]
    fn that_only_publish_are_no_scripts() {
        let publishes = || {
            Scene::default()
                .span(
                    span("api", "apply_async/work", "producer", 0xcc, 0xb1)
                        .at(100, 110)
                        .text("celery.action", "apply_async")
                        .text("messaging.message.id", "t1")
                        .text("celery.task_name", "work"),
                )
                .span(run(0xcc, 0xb2, "t1").under(0xb1).remote())
        };
        let call =
            |to: &str| span("edge", "POST", "client", 0xaa, 0xa1).at(0, 500).text("server.address", to);
        says(publishes(), &[]);
        says(publishes().span(call("payments")), &[]);
        says(publishes().span(call("api")), &["request-not-instrumented"]);
    }
}
