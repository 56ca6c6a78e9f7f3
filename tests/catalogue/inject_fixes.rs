//! 1xx: which fix comes first under which evidence, and which is not offered.

use tracelink::model::{FixPlace, Language, StepKind};

use super::*;

const INSTRUMENT: &str = "instrument Celery where the task is published";
const SET_UP: &str = "set up the SDK and Celery's instrumentor where the task is published";
const SIGNAL: &str = "put the current context into each message by a signal of Celery";
const NEWER: &str = "install an instrumentor that knows tasks by their names";
const THREADS: &str = "carry the context into threads and executors";
const BESIDE: &str = "hand the context over beside the work, to a listener or a loop that was there before";
const OUTERMOST: &str = "let the request's span lie around a middleware that publishes";
const STREAMED: &str =
    "keep the request's context for a streamed response, for what tears the request down, and in threads";
const AROUND: &str = "let the request's span lie around a middleware that publishes, and reach its threads";
const FORWARD: &str = "put the context of the run into each message that its task publishes";

#[test]
fn tl101_is_mended_by_what_the_publisher_lacks() {
    let slug = "producer-not-instrumented";
    let scene = || queued(message("t1")).span(run(0xcc, 0xb2));
    // It sends spans: it lacks the instrumentor alone.
    mends(scene().span(server().process("web-1", 7)), slug, &[INSTRUMENT, SIGNAL]);
    // Another process may have published, of which nothing is known.
    mends(scene().span(server()), slug, &[INSTRUMENT, SET_UP, SIGNAL]);
    // Who publishes without the instrumentor is no service that was seen.
    let instrumented = || producer(0xdd, 0xb7).text("messaging.message.id", "t9").under(0xb8);
    mends(scene().span(server()).span(instrumented()), slug, &[SET_UP, INSTRUMENT]);
    // The instrumentor of that very process was seen at work.
    mends(scene().span(instrumented().process("web-1", 7)), slug, &[SIGNAL, NEWER]);
}

#[test]
fn tl101_speaks_the_language_of_the_publisher() {
    let slug = "producer-not-instrumented";
    let by_hand = |lang: &str| queued(message("t1").header("lang", lang)).span(server());
    let first = |lang: &str| fixes_of(by_hand(lang), slug).remove(0).steps.remove(0);
    let step = first("js");
    assert_eq!((step.language, step.place), (Some(Language::JavaScript), FixPlace::Publish));
    let step = first("go");
    assert_eq!((step.language, step.kind), (None, StepKind::Manual));
}

#[test]
fn tl102_sets_up_both_sdk_and_instrumentor() {
    let slug = "producer-sdk-disabled";
    let scene = || queued(message("t1")).span(run(0xcc, 0xb2));
    mends(scene(), slug, &[SET_UP, INSTRUMENT]);
    for line in [
        "trace.set_tracer_provider(provider)",
        "CeleryInstrumentor().instrument()",
        "OTEL_SDK_DISABLED=false",
    ] {
        pastes(scene(), slug, line);
    }
    // The worker is started by the launcher.
    let launched = run(0xcc, 0xb2).of_distribution("telemetry.auto.version", "0.66b2");
    let fixes = fixes_of(queued(message("t1")).span(launched), slug);
    let titles: Vec<_> = fixes.iter().map(|fix| &*fix.title).collect();
    let launch =
        ["do what the launcher does in the process that publishes", "start every process under the launcher"];
    assert_eq!(titles, [launch[0], launch[1], SET_UP, INSTRUMENT]);
}

#[test]
fn tl103_fills_the_carrier_where_its_reader_looks() {
    let slug = "empty-carrier";
    let scene = |empty| queued(message("t1").header("trace_context", empty));
    pastes(scene(json!("{}")), slug, "headers[\"trace_context\"] = json.dumps(carrier)");
    pastes(scene(json!({})), slug, "headers[\"trace_context\"] = carrier");
}

/// A request that was answered from 200 on, and a root of its process that began then.
fn answered(root: u64) -> Scene {
    let sent = span("api", "POST /orders http send", "internal", 0xaa, 0xb5).at(200, 210).under(0xb0);
    Scene::default()
        .span(server().by("fastapi", "0.48b0"))
        .span(sent)
        .span(producer(0xcc, 0xb1).at(root, root + 5))
}

#[test]
fn tl104_is_mended_by_when_the_context_was_lost() {
    let slug = "context-lost-before-publish";
    mends(answered(100), slug, &[THREADS, BESIDE, OUTERMOST]);
    mends(answered(300), slug, &[OUTERMOST, THREADS, BESIDE]);
    pastes(answered(300), slug, "app.add_middleware(OpenTelemetryMiddleware)");
    let uneven = [500, 1_600, 2_200, 4_400];
    let beside = |library: &str, root: fn(u64) -> u64| {
        (1_u8..).zip(uneven).fold(Scene::default(), |scene, (n, start)| {
            let request = span("api", "GET /export", "server", n, n).at(start, start + 20);
            let published = producer(0x80 + n, n).at(root(start), root(start) + 5);
            scene
                .span(request.by(library, "0.66b2"))
                .span(published.text("messaging.message.id", &format!("t{n}")))
        })
    };
    mends(beside("flask", |start| start + 70), slug, &[STREAMED, OUTERMOST, THREADS, BESIDE]);
    pastes(beside("flask", |start| start + 70), slug, "token = context.attach(ctx)");
    // What comes later than that runs in no thread of the request.
    let flask = fixes_of(beside("flask", |start| start + 70), slug);
    let lines = |fix: &tracelink::model::Fix| {
        fix.steps.iter().flat_map(|step| &step.lines).map(ToString::to_string).collect::<Vec<_>>()
    };
    for line in ["ThreadingInstrumentor().instrument()", "    functions.sort("] {
        assert!(lines(&flask[0]).iter().any(|each| each == line), "{line}: {:?}", flask[0]);
    }
    mends(beside("flask", |start| start + 200), slug, &[THREADS, STREAMED, BESIDE, OUTERMOST]);
    // No thread is started before the request.
    mends(beside("flask", |start| start - 4), slug, &[OUTERMOST, BESIDE]);
    // ASGI's span lies around a streamed response.
    mends(beside("asgi", |start| start + 70), slug, &[AROUND, THREADS, BESIDE]);
    // The lines are Python's.
    let node = server().of_distribution("telemetry.sdk.language", "nodejs");
    let of_node = producer(0xcc, 0xb1).of_distribution("telemetry.sdk.language", "nodejs");
    mends(Scene::default().span(node).span(of_node), slug, &[BESIDE]);
}

#[test]
fn tl106_and_tl109_and_tl111_keep_the_shape_of_the_carrier() {
    let carrier = || json!({"traceparent": TRACEPARENT});
    let first = |value| queued(message("t1").header("trace_context", value));
    let retried = |scene: Scene| scene.look(2_000, |look| look.worker().held(message("t1").retry(1)));
    let slug = "context-lost-on-retry";
    pastes(
        retried(first(json!(carrier().to_string()))),
        slug,
        "headers[\"trace_context\"] = json.dumps(carrier)",
    );
    pastes(retried(first(carrier())), slug, "headers[\"trace_context\"] = carrier");
    let shared = |id: &str| message(id).header("traceparent", TRACEPARENT);
    let stale = queued(shared("t1")).look(1_000, |look| look.ready(shared("t2")));
    pastes(stale, "stale-carrier", "propagate.inject(headers)");
    // A key that is no plain name is repeated in no line.
    let odd = first_under("trace_context\"]");
    let step = fixes_of(retried(odd), slug).remove(0).steps.remove(0);
    assert_eq!((step.kind, step.lines.len()), (StepKind::Manual, 0));
}

/// A task whose context lies under this key.
fn first_under(key: &str) -> Scene {
    queued(message("t1").header(key, json!({"traceparent": TRACEPARENT})))
}

#[test]
fn tl107_is_mended_by_what_was_seen_of_the_run() {
    let slug = "context-not-forwarded";
    let nested = || {
        queued(message("t1").header("traceparent", TRACEPARENT))
            .look(3_000, |look| look.worker().ready(message("t2").header("parent_id", "t1")))
    };
    mends(nested(), slug, &["set up the SDK and Celery's instrumentor in the worker", FORWARD]);
    // The worker is instrumented: by an instrumentor that knows no task by its name.
    let ran = |version: &str| {
        nested().span(server()).span(run(0xaa, 0xb2).under(0xb1).remote().by("celery", version))
    };
    let stub = "let the worker know the task that it publishes";
    mends(ran("0.33b0"), slug, &[FORWARD, NEWER, stub]);
    mends(ran("0.66b2"), slug, &[FORWARD]);
    pastes(ran("0.66b2"), slug, "propagate.inject(headers)");
    // It works, and nothing makes spans of its runs.
    let step = span("worker", "step", "internal", 0xcc, 0xb2).at(2_000, 2_100);
    mends(
        nested().span(server()).span(step),
        slug,
        &["instrument Celery in the worker, which publishes too", FORWARD],
    );
    // Celery publishes the next task of a chain when the run is over.
    let chain = message("t1")
        .header("trace_context", json!({"traceparent": TRACEPARENT}).to_string())
        .chain(json!({"task": "next", "options": {}}));
    let told = fixes_of(queued(chain), slug);
    let last = told.last().expect("a fix").steps[0].lines.join("\n");
    assert!(last.contains("current_task.request") && last.contains("trace_context"), "{last}");
}

#[test]
fn a_scheduler_is_shown_with_a_provider_of_its_own() {
    let scene = inject::beside_an_api("work", &inject::EVEN);
    pastes(scene, "some-producers-not-instrumented", "trace.set_tracer_provider(provider)");
    // What nothing is known of is looked at, and not mended.
    let watch = "watch the broker too, which says what lies between both sides";
    mends(Scene::default().span(run(0xcc, 0xb2)), "orphaned-consumer", &[watch]);
}
