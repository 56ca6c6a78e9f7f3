//! 7xx: what became of the task.

use super::*;

#[test]
fn tl701_no_worker() {
    let waiting = || message("t1").header("traceparent", TRACEPARENT);
    says(queued(waiting()), "no-worker", Note);
    says(queued(waiting()).look(5_000, |look| look.ready(waiting())), "no-worker", Warning);
    is_silent(Scene::default().look(1_000, |look| look.worker().ready(waiting())), "no-worker");
    // An application with a `control_exchange` of its own.
    let named = |look: scene::Look| look.controlled_by("shop").ready(waiting());
    is_silent(queued(waiting()).look(5_000, named), "no-worker");
    // Whoever asks workers something is none.
    let asking = |look: scene::Look| look.controlled_by("reply.celery").ready(waiting());
    says(queued(waiting()).look(5_000, asking), "no-worker", Warning);
}

#[test]
fn tl702_no_consumer_for_queue() {
    let waiting = |id: &str| message(id).header("traceparent", TRACEPARENT);
    let stuck = || queued(waiting("t1")).look(5_000, |look| look.worker().ready(waiting("t1")));
    says(stuck(), "no-consumer-for-queue", Warning);
    // The list holds what the worker takes from now.
    let other = |look: scene::Look| look.worker().ready_in("low", waiting("t1"));
    let took = Scene::default()
        .look(1_000, |look| other(look.ready(message("t9").header("traceparent", TRACEPARENT))))
        .look(900_000, other);
    pastes(took, "no-consumer-for-queue", "-Q celery,low");
    // A busy worker's backlog moves.
    let moving = Scene::default()
        .look(1_000, |look| look.worker().ready(waiting("t1")).ready(waiting("t2")))
        .look(5_000, |look| look.worker().ready(waiting("t2")));
    is_silent(moving, "no-consumer-for-queue");
    // Two looks a few seconds apart are a hint; minutes make it likely.
    says(stuck(), "no-consumer-for-queue", (Warning, Possible));
    let stands = |millis: u64, then: fn(scene::Look) -> scene::Look| {
        Scene::default()
            .look(1_000, |look| then(look).worker().ready_in("low", waiting("t1")))
            .look(millis, |look| look.worker().ready_in("low", waiting("t1")))
    };
    says(stands(200_000, |look| look), "no-consumer-for-queue", (Warning, Likely));
    // A worker of two queues is busy with the other one.
    let took_other = |look: scene::Look| look.ready(message("t9").header("traceparent", TRACEPARENT));
    let holds_other = |look: scene::Look| look.held(message("t9").header("traceparent", TRACEPARENT));
    let runs_other = |look: scene::Look| look.result("t9", json!({"status": "STARTED"}));
    for busy in [took_other, holds_other, runs_other] {
        is_silent(stands(200_000, busy), "no-consumer-for-queue");
        says(stands(900_000, busy), "no-consumer-for-queue", (Warning, Likely));
    }
    // Whoever watches waits for minutes before it is said.
    let watched = |millis: u64| {
        let scene = Scene::watched()
            .look(1_000, |look| look.worker().ready_in("low", waiting("t1")))
            .look(millis, |look| look.worker().ready_in("low", waiting("t1")));
        scene.findings_after(30).iter().any(|finding| finding.slug == "no-consumer-for-queue")
    };
    assert!(!watched(20_000) && watched(200_000));
}

#[test]
fn tl703_unroutable_message() {
    let sent = |exchange: &str| {
        healthy().span(
            producer(0xaa, 0xb7)
                .under(0xb0)
                .text("messaging.message.id", "t9")
                .text("celery.exchange", exchange)
                .text("messaging.destination", "orders.new"),
        )
    };
    says(sent("shop"), "unroutable-message", Error);
    pastes(sent("shop"), "unroutable-message", "Exchange(\"shop\"),");
    // Which exchange it was nothing says.
    mends(sent(""), "unroutable-message", &["publish to a queue that a worker takes from"]);
    is_silent(sent("celery"), "unroutable-message");
    // Without an exchange kombu would have made a list: a hint, where the broker
    // is known to be the producer's.
    says(sent(""), "unroutable-message", Warning);
}

#[test]
fn tl703_unroutable_message_of_a_producer_of_which_nothing_else_was_seen() {
    let lost = |id: &str, exchange: &str| {
        let sent = producer(0xaa, 0xb7).under(0xb0).text("messaging.message.id", id);
        sent.text("celery.exchange", exchange).text("messaging.destination", "orders.new")
    };
    let alone = |look: fn(scene::Look) -> scene::Look| {
        Scene::default().look(9_000, look).span(server()).span(lost("t9", "wholesale"))
    };
    // The only broker, with a worker at work, leads nowhere: worth a question.
    says(alone(scene::Look::worker), "unroutable-message", Warning);
    // A database without a worker may be a result backend, or another application's.
    is_silent(alone(|look| look), "unroutable-message");
    is_silent(
        Scene::default().look(9_000, scene::Look::worker).span(server()).span(lost("t9", "")),
        "unroutable-message",
    );
    // It was looked at before the task was published.
    let before = Scene::default().look(50, scene::Look::worker).span(server()).span(lost("t9", "wholesale"));
    is_silent(before, "unroutable-message");
    // Another broker was looked at too: which of them is the producer's?
    let other = |look: scene::Look| look.of("10.0.0.2:6379/0").worker();
    is_silent(alone(scene::Look::worker).look(9_000, other), "unroutable-message");
    // Another task of the producer ran, and no broker that was seen leads to it.
    let elsewhere = alone(scene::Look::worker)
        .span(lost("t8", "wholesale").numbered(0xb8))
        .span(run(0xaa, 0xb9).under(0xb8).remote().text("messaging.message.id", "t8"));
    is_silent(elsewhere, "unroutable-message");
    // A result of it lies in a database in which nothing is bound for it.
    let backend = Scene::default()
        .look(9_000, |look| look.worker().result("t8", json!({"status": "SUCCESS"})))
        .span(server())
        .span(lost("t8", "wholesale").numbered(0xb8))
        .span(lost("t9", "wholesale"));
    is_silent(backend, "unroutable-message");
}

#[test]
fn tl704_to_707_what_the_result_says() {
    let ended = |status: &str, kind: &str, text: &str| {
        Scene::default()
            .look(1_000, |look| look.ready(message("t1").header("traceparent", TRACEPARENT)))
            .look(9_000, |look| {
                look.worker().result(
                    "t1",
                    json!({"status": status, "result": {"exc_type": kind, "exc_message": [text]}}),
                )
            })
            .span(server())
            .span(producer(0xaa, 0xb1).under(0xb0))
    };
    says(ended("FAILURE", "NotRegistered", "work"), "task-not-registered", Error);
    says(ended("FAILURE", "WorkerLostError", "signal 9"), "worker-killed", Error);
    says(ended("FAILURE", "TimeLimitExceeded", "2"), "worker-killed", (Error, Certain));
    says(ended("REVOKED", "TaskRevokedError", "revoked"), "task-revoked", Note);
    says(ended("REVOKED", "TaskRevokedError", "expired"), "task-expired", Note);
    for slug in ["task-not-registered", "worker-killed", "task-revoked", "task-expired", "worker-silent"] {
        is_silent(healthy(), slug);
    }
    is_silent(ended("REVOKED", "TaskRevokedError", "expired"), "worker-silent");
    // Which module defines the task only the user knows, unless its name says it.
    let unknown = |task: &str| {
        Scene::default()
            .look(1_000, |look| {
                look.ready(message("t1").header("task", task).header("traceparent", TRACEPARENT))
            })
            .look(9_000, |look| {
                let result = json!({"exc_type": "NotRegistered", "exc_message": [task]});
                look.worker().result("t1", json!({"status": "FAILURE", "result": result}))
            })
    };
    let by_hand = "let the worker know the task by this name";
    mends(unknown("work"), "task-not-registered", &[by_hand]);
    mends(
        unknown("shop.tasks.work"),
        "task-not-registered",
        &[by_hand, "let the worker import the task's module"],
    );
    // Ended while it ran.
    let terminated = ended("REVOKED", "TaskRevokedError", "terminated").report();
    let found = terminated.findings.iter().find(|finding| finding.slug == "task-revoked");
    assert_eq!(found.and_then(|found| found.variant.as_deref()), Some("terminated"));
    // The task ran, and asked for another one.
    is_silent(ended("FAILURE", "NotRegistered", "shop.other"), "task-not-registered");
    let ran = ended("FAILURE", "NotRegistered", "work").span(run(0xaa, 0xb2).under(0xb1).remote());
    is_silent(ran, "task-not-registered");
}

#[test]
fn tl708_duplicate_execution() {
    let again = |redelivered: &str| {
        healthy().span(
            run(0xaa, 0xb3)
                .under(0xb1)
                .remote()
                .at(7_200_000, 7_201_000)
                .text("celery.delivery_info", redelivered),
        )
    };
    says(again("{'redelivered': True}"), "duplicate-execution", Warning);
    pastes(again("{'redelivered': True}"), "duplicate-execution", "\"visibility_timeout\": 14400,");
    is_silent(again("{'redelivered': False}"), "duplicate-execution");
}

#[test]
fn tl709_to_711_notes() {
    let given_back = Scene::default().look(1_000, |look| {
        look.worker().ready(message("t1").header("traceparent", TRACEPARENT).header("redelivered", true))
    });
    says(given_back, "redelivered", Note);
    let red = healthy_without_run().span(
        span("worker", "work", "consumer", 0xaa, 0xb2)
            .at(2_000, 3_000)
            .under(0xb1)
            .remote()
            .error("Retry", "in 1s"),
    );
    says(red, "retry-marked-error", Note);
    says(
        healthy().span(
            run(0xaa, 0xb3)
                .text("messaging.message.id", "t5")
                .under(0xb1)
                .remote()
                .error("ValueError", "declined"),
        ),
        "task-failed",
        Note,
    );
    for slug in ["redelivered", "retry-marked-error", "task-failed"] {
        is_silent(healthy(), slug);
    }
}

/// The names of exceptions are from outside, and may be new each time.
#[test]
fn tl711_names_a_bounded_number_of_exceptions() {
    let failed = |scene: Scene, n: u64| {
        let red = run(0xaa, 0).numbered(n + 1_000).under(0xb1).remote();
        let red = red.text("messaging.message.id", &format!("f{n}"));
        scene.span(red.error(&format!("Error{n}"), "declined"))
    };
    let report = (0..200).fold(healthy(), failed).report();
    let told: Vec<_> = report.findings.iter().filter(|finding| finding.slug == "task-failed").collect();
    assert_eq!(told.iter().map(|finding| finding.count).sum::<u64>(), 200);
    assert!(told.len() < 100, "{} findings", told.len());
}

/// What the task's own code says of an attempt, beside what became of it.
#[test]
fn tl710_and_711_red_spans_of_tasks_that_did_not_fail() {
    let first = |kind: &str| run(0xaa, 0xb2).under(0xb1).remote().error(kind, "later");
    let sent = || Scene::default().span(server()).span(producer(0xaa, 0xb1).under(0xb0));
    let again = || producer(0xaa, 0xb3).under(0xb2).at(2_900, 2_910).of("worker");
    let second = || run(0xaa, 0xb4).under(0xb3).remote().at(4_000, 5_000).text("celery.retries", "1");
    // The instrumentor's span is red by the task's own code.
    let retried = |kind: &str| sent().span(first(kind)).span(again()).span(second());
    says(retried("celery.exceptions.Retry"), "retry-marked-error", Note);
    says(retried("shop.EmailServiceUnavailable"), "retry-marked-error", Note);
    is_silent(retried("shop.EmailServiceUnavailable"), "task-failed");
    // The last attempt, which fails, is red by right.
    let gave_up = sent().span(first("ValueError"));
    is_silent(gave_up, "retry-marked-error");
    for steering in ["celery.exceptions.Ignore", "celery.exceptions.Reject", "celery.exceptions.Retry"] {
        is_silent(sent().span(first(steering)), "task-failed");
        let result = json!({"status": "SUCCESS"});
        is_silent(
            sent().span(first(steering)).look(9_000, |look| look.worker().result("t1", result)),
            "task-failed",
        );
    }
    // An exception that was caught, recorded, and made good.
    let caught = sent().span(first("ValueError"));
    is_silent(
        caught.look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"}))),
        "task-failed",
    );
    let failed =
        json!({"status": "FAILURE", "result": {"exc_type": "Reject", "exc_message": ["a class of its own"]}});
    says(
        sent().span(first("Reject")).look(9_000, |look| look.worker().result("t1", failed)),
        "task-failed",
        Note,
    );
}
