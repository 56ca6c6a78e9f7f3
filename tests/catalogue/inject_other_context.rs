//! TL109 and TL111: a producer that injects a context which is not its own.

use super::*;

#[test]
fn tl109_stale_carrier() {
    let requests = |others: u8| {
        let mut scene = Scene::default().look(1_000, |look| {
            (1..=3).fold(look, |look, n| {
                look.ready(
                    message(&format!("t{n}"))
                        .header("traceparent", "00-000000000000000000000000000000aa-00000000000000b0-01"),
                )
            })
        });
        scene = scene.span(server());
        for other in 1..=others {
            let start = 600 * u64::from(other);
            scene = scene.span(span("api", "POST /orders", "server", other, other).at(start, start + 100));
        }
        scene
    };
    says(requests(2), "stale-carrier", Error);
    says(
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(1_000, |look| look.ready(message("t2").header("traceparent", TRACEPARENT))),
        "stale-carrier",
        Note,
    );
    // A route that fans out when there is something to do: each minute it is
    // asked, and once it sent two messages.
    let sometimes = (1..=5_u8).fold(
        Scene::default()
            .look(1_000, |look| {
                (1..=2).fold(look, |look, n| {
                    look.ready(
                        message(&format!("t{n}"))
                            .header("traceparent", "00-000000000000000000000000000000aa-00000000000000b0-01"),
                    )
                })
            })
            .span(server()),
        |scene, n| {
            let start = 60_000 * u64::from(n);
            scene.span(span("api", "POST /orders", "server", n, n).at(start, start + 100))
        },
    );
    is_silent(sometimes, "stale-carrier");
    // Each process of the server keeps a carrier of its own.
    let carrying = |trace: &str| format!("00-000000000000000000000000000000{trace}-00000000000000b0-01");
    let in_two = |second: &'static str| {
        let look = |look: scene::Look| {
            let send = |look: scene::Look, n: u8, trace: &str| {
                look.ready(message(&format!("t{n}")).header("traceparent", carrying(trace)))
            };
            let look = send(send(look, 1, "aa"), 2, "aa");
            send(send(look, 3, "dd"), 4, second)
        };
        let of = |trace: u8, at: u64, pid: i64| {
            span("api", "POST /orders", "server", trace, 0xb0).at(at, at + 50).process("web-1", pid)
        };
        Scene::default()
            .look(1_000, look)
            .span(of(0xaa, 0, 1))
            .span(of(0xdd, 100, 2))
            .span(of(0xee, 200, 1))
            .span(of(0xef, 300, 2))
    };
    says(in_two("dd"), "stale-carrier", Error);
    // In the other process each request sends its own.
    is_silent(in_two("ef"), "stale-carrier");
    // One request that fans out by hand: nobody else published nothing.
    is_silent(requests(0), "stale-carrier");
    is_silent(healthy(), "stale-carrier");
}

#[test]
fn tl111_incoming_context_forwarded() {
    let incoming = "00-000000000000000000000000000000aa-00000000000000f0-01";
    let scene = |consumer: u64| {
        queued(message("t1").header("traceparent", incoming))
            .span(server().under(0xf0).remote())
            .span(run(0xaa, 0xb2).under(consumer).remote())
    };
    says(scene(0xf0), "incoming-context-forwarded", Warning);
    is_silent(scene(0xb0), "incoming-context-forwarded");
}

#[test]
fn tl111_incoming_context_forwarded_by_a_task() {
    let first = || queued(message("t1").header("traceparent", TRACEPARENT));
    let second = |context: &str| message("t2").header("parent_id", "t1").header("traceparent", context);
    let forwarded = || first().look(3_000, |look| look.worker().ready(second(TRACEPARENT)));
    let with_run = |scene: Scene| {
        scene.span(server()).span(producer(0xaa, 0xb1).under(0xb0)).span(run(0xaa, 0xb2).under(0xb1).remote())
    };
    says(with_run(forwarded()), "incoming-context-forwarded", (Warning, Likely));
    // No run is seen that it passes over.
    says(forwarded(), "incoming-context-forwarded", (Note, Possible));
    is_healthy(forwarded());
    // The run's own context.
    let own = "00-000000000000000000000000000000aa-00000000000000b2-01";
    let handed_on = || with_run(first().look(3_000, |look| look.worker().ready(second(own))));
    is_silent(handed_on(), "incoming-context-forwarded");
    // A retry is the same task.
    let retried = first()
        .look(3_000, |look| look.worker().held(message("t1").header("traceparent", TRACEPARENT).retry(1)));
    is_silent(with_run(retried), "incoming-context-forwarded");
    // The application gave each task of a chain one carrier.
    let step = json!({"task": "ship", "options": {"headers": {"traceparent": TRACEPARENT}}});
    let chain = queued(message("t1").header("traceparent", TRACEPARENT).chain(step))
        .look(3_000, |look| look.worker().ready(second(TRACEPARENT)));
    is_silent(with_run(chain), "incoming-context-forwarded");
    // An instrumentor publishes it, and injects.
    let instrumented = with_run(forwarded()).span(
        producer(0xaa, 0xb7).of("worker").under(0xb2).at(2_500, 2_510).text("messaging.message.id", "t2"),
    );
    is_silent(instrumented, "incoming-context-forwarded");
}
