//! TL104: a context that is lost before the task is published.

use super::*;

#[test]
fn tl104_context_lost_before_publish() {
    says(Scene::default().span(server()).span(producer(0xcc, 0xb1)), "context-lost-before-publish", Error);
    is_silent(Scene::default().span(producer(0xcc, 0xb1)), "context-lost-before-publish");
    // A scheduler inside a busy API: some request is always open.
    let mut busy = Scene::default().span(producer(0xcc, 0xb1));
    for request in 0..40_u8 {
        let start = u64::from(request) * 10;
        busy = busy.span(span("api", "GET /", "server", request + 1, request + 1).at(start, start + 12));
    }
    is_silent(busy, "context-lost-before-publish");
    // A timer beside a stream of events that is open for an hour.
    let minute = |n: u8| producer(n, n).at(60_000 * u64::from(n), 60_000 * u64::from(n) + 9);
    let timer = (1..=5).fold(Scene::default().span(server().at(0, 3_600_000)), |scene, n| {
        scene.span(minute(n).text("messaging.message.id", &format!("t{n}")))
    });
    is_silent(timer, "context-lost-before-publish");
    // The same task is published when nobody asks for anything.
    let nobody = minute(2).text("messaging.message.id", "t2");
    is_silent(
        Scene::default().span(server()).span(producer(0xcc, 0xb1)).span(nobody),
        "context-lost-before-publish",
    );
    // A thread that goes on for a moment after the answer is no scheduler.
    let late = producer(0xcd, 0xb2).at(2_000, 2_010).text("messaging.message.id", "t2");
    says(
        Scene::default().span(server()).span(producer(0xcc, 0xb1)).span(late),
        "context-lost-before-publish",
        Error,
    );
}

/// Requests to one route, and a root of one task so long after the end of each,
/// or before its start.
fn beside(requests: &[u64], root: impl Fn(u64) -> u64) -> Scene {
    (1_u8..).zip(requests).fold(Scene::default(), |scene, (n, start)| {
        let published = root(*start);
        scene.span(span("api", "GET /export", "server", n, n).at(*start, start + 20)).span(
            producer(0x80 + n, n).at(published, published + 5).text("messaging.message.id", &format!("t{n}")),
        )
    })
}

#[test]
fn tl104_context_lost_just_outside_of_the_request() {
    let uneven = [0, 1_100, 1_700, 3_900];
    let after = || beside(&uneven, |start| start + 70);
    says(after(), "context-lost-before-publish", (Error, Likely));
    says(beside(&uneven.map(|start| start + 500), |start| start - 4), "context-lost-before-publish", Error);
    // The first publish of a process imports and connects, and comes late.
    let cold = |others: u64| beside(&uneven, move |start| start + if start == 0 { 1_000 } else { others });
    says(cold(70), "context-lost-before-publish", (Error, Likely));
    is_silent(cold(700), "context-lost-before-publish");
    // The hand-off's trace has no request in it.
    let stations = after().report().handoffs.into_iter().next().expect("a hand-off").stations;
    assert_eq!(stations.get(tracelink::model::Station::Request), tracelink::model::StationState::NotSeen);
    // One lies far from any request: something else publishes them.
    let far = producer(0x99, 0x99).at(2_900, 2_905).text("messaging.message.id", "t9");
    is_silent(after().span(far), "context-lost-before-publish");
    // Two of them may be an accident.
    is_silent(beside(&uneven[..2], |start| start + 70), "context-lost-before-publish");
    // A scheduler that keeps step with a probe.
    let even: Vec<u64> = (0..8).map(|n| 2_000 * n).collect();
    is_silent(beside(&even, |start| start + 900), "context-lost-before-publish");
    // The context is carried over: the request is its parent, though it is over.
    let carried = (1_u8..).zip(&uneven).fold(Scene::default(), |scene, (n, start)| {
        let id = format!("t{n}");
        scene.span(span("api", "GET /export", "server", n, n).at(*start, start + 20)).span(
            producer(n, 0x80 + n)
                .at(start + 70, start + 75)
                .under(n.into())
                .text("messaging.message.id", &id),
        )
    });
    is_silent(carried, "context-lost-before-publish");
    // What a scheduler's task does calls the API.
    let called = (1_u8..).zip(&uneven).fold(Scene::default(), |scene, (n, start)| {
        let id = format!("t{n}");
        scene
            .span(producer(0x80 + n, n).at(start + 1, start + 2).text("messaging.message.id", &id))
            .span(
                run(0x80 + n, 0x40 + n)
                    .at(start + 5, start + 90)
                    .under(n.into())
                    .remote()
                    .text("messaging.message.id", &id),
            )
            .span(span("api", "POST /done", "server", n, n).at(start + 20, start + 30))
    });
    is_silent(called, "context-lost-before-publish");
}

#[test]
fn tl104_a_loop_inside_the_api() {
    // Every half second a root, and a few requests, of which two are long.
    let tick = |n: u8| {
        producer(0x80 + n, n)
            .at(450 * u64::from(n), 450 * u64::from(n) + 2)
            .text("messaging.message.id", &format!("t{n}"))
    };
    let request =
        |n: u8, start: u64, length: u64| span("api", "GET /quote", "server", n, n).at(start, start + length);
    let uneven = [30, 170, 980, 1_230, 3_140, 3_560, 4_460, 4_800, 4_970, 6_220, 6_480, 7_790];
    let api = || {
        let ticks = (1..=27).fold(Scene::default(), |scene, n| scene.span(tick(n)));
        (1_u8..).zip(uneven).fold(ticks, |scene, (n, start)| {
            scene.span(request(n, start, if n == 4 || n == 9 { 600 } else { 6 }))
        })
    };
    is_silent(api(), "context-lost-before-publish");
    is_healthy(api());
    // More of them lie in requests than chance would put there.
    let lost = (1..=8).fold(api(), |scene, n| {
        let start = 20_000 + 1_000 * u64::from(n) * u64::from(n);
        scene.span(request(0x40 + n, start, 30)).span(
            producer(0xc0 + n, 0x40 + n)
                .at(start + 10, start + 12)
                .text("messaging.message.id", &format!("l{n}")),
        )
    });
    says(lost, "context-lost-before-publish", Error);
}

/// Runs of a task, and a root that publishes another one so long after the start of each.
fn beside_runs(starts: &[u64], root: u64) -> Scene {
    (1_u8..).zip(starts).fold(Scene::default(), |scene, (n, start)| {
        let ran = run(0x10 + n, 0x10 + n).at(*start, start + 50).under(0xf1).remote();
        let sent = producer(0x80 + n, 0x80 + n).of("worker").at(start + root, start + root + 2);
        let id = |task: &str| format!("{task}{n}");
        scene.span(ran.text("messaging.message.id", &id("t")).instance("w")).span(
            sent.text("messaging.message.id", &id("s")).text("celery.task_name", "notify").instance("w"),
        )
    })
}

#[test]
fn tl104_context_lost_in_a_run() {
    const SLUG: &str = "context-lost-before-publish";
    let uneven = [0, 1_100, 1_700, 3_900];
    let threads = "carry the context into the threads that a task starts";
    let sooner = "publish before the run's span ends";
    says(beside_runs(&uneven, 20), SLUG, (Error, Likely));
    mends(beside_runs(&uneven, 20), SLUG, &[threads, sooner]);
    // Right after: in a receiver of `task_postrun`.
    mends(beside_runs(&uneven, 52), SLUG, &[sooner, threads]);
    is_silent(beside_runs(&uneven, 300), SLUG);
    // Two may be an accident, and so may many in a worker that is always busy.
    is_silent(beside_runs(&uneven[..2], 20), SLUG);
    let busy: Vec<u64> = (0..8).map(|n| 51 * n).collect();
    is_silent(beside_runs(&busy, 20), SLUG);
    // One lies elsewhere: a scheduler in the worker publishes them.
    let tick = producer(0x99, 0x99).of("worker").at(2_900, 2_902).text("messaging.message.id", "s9");
    is_silent(beside_runs(&uneven, 20).span(tick.instance("w")), SLUG);
    // Below the run, as they should be.
    let below = (1_u8..).zip(uneven).fold(beside_runs(&uneven, 20), |scene, (n, start)| {
        let sent = producer(0x10 + n, 0x90 + n).of("worker").at(start + 30, start + 32);
        let id = format!("r{n}");
        scene.span(sent.under(0x10 + u64::from(n)).text("messaging.message.id", &id).instance("w"))
    });
    says(below, SLUG, Error);
}

#[test]
fn tl104_context_lost_in_a_run_that_the_message_names() {
    let sent = |parent: &str| {
        let context = "00-000000000000000000000000000000cc-00000000000000c1-01";
        let message = message("t2").header("traceparent", context).header("parent_id", parent.to_owned());
        let published = producer(0xcc, 0xc1).of("worker").at(3_050, 3_060);
        healthy()
            .look(3_100, |look| look.worker().ready(message))
            .span(published.text("messaging.message.id", "t2"))
    };
    says(sent("t1"), "context-lost-before-publish", (Error, Likely));
    is_silent(sent("t7"), "context-lost-before-publish");
}
