//! One context that is given to several messages by hand.

use super::*;

/// One request that handed its own context to as many messages, by task.
fn fan_out(tasks: &[&str]) -> Scene {
    let carrier = json!({"traceparent": BY_HAND}).to_string();
    let queued = |look: Look| {
        (1..).zip(tasks).fold(look, |look, (number, task)| {
            let message = message(&format!("t{number}")).header("task", *task);
            look.ready(message.header("trace_context", carrier.as_str()))
        })
    };
    Scene::default().look(1_000, queued).span(server())
}

fn run_of(task: &str, id: u8) -> SpanBuilder {
    span("worker", task, "consumer", 0xaa, id).at(2_000, 3_000).under(0xb0).remote()
}

fn failed(scene: Scene) -> Finding {
    finding(scene, "task-failed")
}

#[test]
fn are_parted_by_the_names_of_the_tasks() {
    let red = |task: &str, id: u8| run_of(task, id).error("ValueError", "declined");
    for (number, task) in [("t1", "reserve"), ("t2", "notify")] {
        let other = if task == "reserve" { "notify" } else { "reserve" };
        let scene = fan_out(&["reserve", "notify"]).span(red(task, 0xb2)).span(run_of(other, 0xb3));
        let found = failed(scene);
        assert!(found.handoffs.iter().eq([number]) && found.tasks.iter().eq([task]), "{found:#?}");
    }
    // The run of one of them is not that of the other.
    let one = fan_out(&["reserve", "notify"]).span(run_of("reserve", 0xb2)).report();
    let joined = |id: &str| {
        let handoff = one.handoffs.iter().find(|handoff| handoff.task_id == id).expect("listed");
        handoff.joined_by
    };
    assert_eq!((joined("t1"), joined("t2")), (Some("traceparent"), None));
}

#[test]
fn say_nothing_of_a_single_one_of_the_same_name() {
    let red = || run_of("work", 0xb2).error("ValueError", "declined");
    let found = failed(fan_out(&["work", "work"]).span(red()).span(run_of("work", 0xb3)));
    assert!(found.count == 1 && found.handoffs.is_empty(), "{found:#?}");
    // One of them was tried again: not each of them twice.
    let again = || run_of("work", 0xb4).at(5_000, 6_000).text("task.retry_count", "1");
    let retried = fan_out(&["work", "work"]).span(red()).span(run_of("work", 0xb3)).span(again());
    let report = retried.report();
    assert_eq!(loud(&report), [""; 0]);
    assert_eq!(report.inputs.handoffs, 3);
    // More runs than messages, of one attempt: nobody ran twice for all that is known.
    let many = (0..5).fold(fan_out(&["work", "work"]), |scene, n| scene.span(run_of("work", 0xc0 + n)));
    says(many, &[]);
}

#[test]
fn know_the_runs_that_name_their_message() {
    let named = |id: u8, task: &str| run_of("work", id).text("messaging.message.id", task);
    let scene = fan_out(&["work", "work"])
        .span(named(0xb2, "t2").error("ValueError", "declined"))
        .span(named(0xb3, "t1").at(2_500, 2_600));
    let found = failed(scene);
    assert!(found.count == 1 && found.handoffs.iter().eq(["t2"]), "{found:#?}");
}
