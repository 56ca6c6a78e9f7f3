//! 4xx: who samples.

use super::*;

#[test]
fn tl401_not_sampled() {
    let off = "00-000000000000000000000000000000aa-00000000000000b1-02";
    let unsampled = |count: u32| {
        Scene::default().look(1_000, |look| {
            (1..=count).fold(look, |look, n| look.ready(message(&format!("t{n}")).header("traceparent", off)))
        })
    };
    // Few messages are what a ratio leaves, too; a thousand are not.
    says(unsampled(1), "not-sampled", (Warning, Possible));
    says(unsampled(3), "not-sampled", (Warning, Possible));
    says(unsampled(40), "not-sampled", (Warning, Likely));
    says(unsampled(500), "not-sampled", (Warning, Certain));
    // Nothing shows how the API is set up: code wins over the environment.
    let ways = [
        "keep every trace, in code",
        "keep every trace, by environment",
        "keep every trace, whatever its caller decided, in code",
        "keep every trace, whatever its caller decided, by environment",
    ];
    mends(unsampled(3), "not-sampled", &ways);
    // Beside a worker that a launcher sets up it is in the environment, most likely.
    let launched = unsampled(3).span(run(0xcc, 0xb9).text("messaging.message.id", "t9").zero_code());
    mends(launched, "not-sampled", &[ways[1], ways[0], ways[3], ways[2]]);
    // In another language it is known by environment alone.
    let js = Scene::default()
        .look(1_000, |look| look.ready(message("t1").header("traceparent", off).header("lang", "js")));
    pastes(js, "not-sampled", "OTEL_TRACES_SAMPLER=parentbased_always_on");
    let report = unsampled(3).report();
    let found = report.findings.iter().find(|finding| finding.slug == "not-sampled").expect("said");
    assert!(
        found.alternatives[0].why.contains("a ratio of 1 in 10 leaves 3 of 3 unsampled in 73 of 100 cases")
    );
    // Written by hand: they name no origin, and are counted all the same.
    let by_hand = || {
        Scene::default()
            .look(1_000, |look| {
                (1..=40).fold(look, |look, n| {
                    look.ready(
                        message(&format!("t{n}")).header("traceparent", off).without("/headers/origin"),
                    )
                })
            })
            .look(9_000, |look| look.worker().result("t1", json!({"status": "SUCCESS"})))
    };
    is_silent(by_hand().kept_log(), "nothing-received");
    says(by_hand().kept_log(), "not-sampled", (Warning, Likely));
    let ratio = Scene::default().look(1_000, |look| {
        look.ready(message("t1").header("traceparent", off))
            .ready(message("t2").header("traceparent", TRACEPARENT))
    });
    says(ratio, "not-sampled", Note);
    is_silent(healthy(), "not-sampled");
    // The sampled ones were taken before a look saw them; their spans are there.
    let taken = |origin: &str| {
        let run = run(0xcc, 0xc2).under(0xc1).remote().text("messaging.message.id", "t9");
        let sent = producer(0xcc, 0xc1).text("messaging.message.id", "t9");
        unsampled(1).span(sent).span(run.text("celery.hostname", origin))
    };
    says(taken("gen7@web-1"), "not-sampled", Note);
    says(taken("gen8@web-1"), "not-sampled", Warning);
}

/// Twelve tasks, of which the worker kept those that `keeps` says.
fn sampled(keeps: impl Fn(u8) -> bool) -> Scene {
    sampled_by(keeps, |run| run)
}

fn sampled_by(keeps: impl Fn(u8) -> bool, worker: fn(scene::SpanBuilder) -> scene::SpanBuilder) -> Scene {
    let mut scene = Scene::default().look(1_000, |look| {
        (1..=12_u8).fold(look, |look, n| {
            look.ready(message(&format!("t{n}")).header("traceparent", format!("00-{n:032x}-{n:016x}-01")))
        })
    });
    scene = scene.look(9_000, |look| {
        (1..=12).fold(look.worker(), |look, n| look.result(&format!("t{n}"), json!({"status": "SUCCESS"})))
    });
    for n in 1..=12_u8 {
        scene = scene.span(span("api", "POST /", "server", n, n).at(0, 10));
        if keeps(n) {
            let run =
                run(n, n + 100).under(u64::from(n)).remote().text("messaging.message.id", &format!("t{n}"));
            scene = scene.span(worker(run));
        }
    }
    scene
}

#[test]
fn tl402_sampler_ignores_parent() {
    says(sampled(|n| n <= 6), "sampler-ignores-parent", Error);
    // The workers whose spans came are set up in code, or by a launcher.
    mends(
        sampled(|n| n <= 6),
        "sampler-ignores-parent",
        &["let the worker keep what its sender kept, in code"],
    );
    mends(
        sampled_by(|n| n <= 6, scene::SpanBuilder::zero_code),
        "sampler-ignores-parent",
        &["let the worker keep what its sender kept, by environment"],
    );
    // One silent worker of two does not split by the id.
    is_silent(sampled(|n| n % 2 == 0), "sampler-ignores-parent");
    says(sampled(|n| n % 2 == 0), "worker-silent", Error);
    // Too few to tell from chance.
    is_silent(sampled(|n| n < 12), "sampler-ignores-parent");
}
