//! What publishes beside its request, or outside of it: how it comes by the
//! request's context. Which of these it is, the times of the spans tell in part, and
//! each fix says what it is for.

use super::threads::{into_threads, into_threads_of_a_task, with_instrumentor};
use crate::diagnosis::known::SdkSetup;
use crate::evidence::Library;
use crate::model::{Fix, FixPlace, Language, Side};

/// When a task was published, beside the request's span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Before it began.
    Before,
    /// While it was open, and no answer had begun that was seen.
    Within,
    /// While it was open, and the answer had begun.
    WhileAnswering,
    /// Right after it had ended, as what ran in its thread does.
    RightAfter,
    /// Later than that.
    After,
}

/// Mends TL104, by when the task was published and by what instruments the requests.
pub fn context_lost(when: When, server: Option<Library>, setting: &SdkSetup) -> Vec<Fix> {
    if setting.language.code() != Some(Language::Python) {
        return vec![beside_the_work()];
    }
    let outermost = outermost(server);
    let streamed = streamed(server);
    let middle = outermost.into_iter();
    let by_hand = server.is_none().then(made_current);
    match when {
        When::Before => middle.chain([beside_the_work()]).collect(),
        When::WhileAnswering => {
            middle.chain([into_threads()]).chain(by_hand).chain([beside_the_work()]).collect()
        }
        // Work that a request hands to a thread begins as soon as this too.
        When::RightAfter => match server {
            Some(Library::Flask) => {
                streamed.into_iter().chain(middle).chain([into_threads(), beside_the_work()]).collect()
            }
            Some(Library::Asgi) => {
                let around = middle.map(|fix| with_instrumentor(Fix { title: AROUND.into(), ..fix }));
                around.chain([into_threads(), beside_the_work()]).collect()
            }
            _ => [into_threads()]
                .into_iter()
                .chain(streamed)
                .chain(middle)
                .chain([beside_the_work()])
                .collect(),
        },
        When::After => {
            [into_threads()].into_iter().chain(streamed).chain([beside_the_work()]).chain(middle).collect()
        }
        When::Within => {
            [into_threads()].into_iter().chain(by_hand).chain([beside_the_work()]).chain(middle).collect()
        }
    }
}

/// Mends TL104 in a worker, where a run publishes, or what comes right after it.
pub fn context_lost_in_a_run(is_after: bool, worker: &SdkSetup) -> Vec<Fix> {
    let sooner = Fix::new("publish before the run's span ends").by_hand(
        Side::Worker,
        "publish in the task itself, in its `on_success` or `after_return`, or in a receiver of `task_success`: the instrumentor ends the run's span in `task_postrun`, before receivers that were connected later",
    );
    if worker.language.code() != Some(Language::Python) {
        return vec![sooner];
    }
    let threads = into_threads_of_a_task();
    if is_after { vec![sooner, threads] } else { vec![threads, sooner] }
}

/// Where what publishes was there before the request: it inherits nothing from it.
fn beside_the_work() -> Fix {
    Fix::new("hand the context over beside the work, to a listener or a loop that was there before").by_hand(
        Side::Producer,
        "put the current context beside the work while the request's span is current, attach it before the task is published, and detach it after that",
    )
}

/// Where no instrumentor that is known opens the request's span: started by hand, it is not
/// current by itself.
fn made_current() -> Fix {
    Fix::new("make the request's span current, where the program starts it by hand").by_hand(
        Side::Producer,
        "after start_span, keep token = context.attach(trace.set_span_in_context(span)), and before span.end() call context.detach(token); or open the span with start_as_current_span around the handler",
    )
}

/// Where a middleware publishes: the span of the request is to lie around it.
fn outermost(server: Option<Library>) -> Option<Fix> {
    const TITLE: &str = "let the request's span lie around a middleware that publishes";
    const LAST: &str = "or instrument the application below its last middleware, in place of this";
    let fix = Fix::new(TITLE);
    let (module, package, last) = match server? {
        Library::Asgi => {
            ("asgi", "opentelemetry-instrumentation-asgi", "app.add_middleware(OpenTelemetryMiddleware)")
        }
        Library::Flask | Library::Wsgi => (
            "wsgi",
            "opentelemetry-instrumentation-wsgi",
            "app.wsgi_app = OpenTelemetryMiddleware(app.wsgi_app)",
        ),
        Library::Django => {
            return Some(fix.by_hand(
                Side::Producer,
                "name opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware first in MIDDLEWARE, or move what publishes below it",
            ));
        }
        Library::Celery => return None,
    };
    let import = format!("from opentelemetry.instrumentation.{module} import (");
    let lines = [import, "    OpenTelemetryMiddleware,".into(), ")".into(), String::new(), last.into()];
    Some(fix.python(Side::Producer, FixPlace::AfterApp, lines).installing([package]).needing(LAST))
}

const AROUND: &str = "let the request's span lie around a middleware that publishes, and reach its threads";
const FLASKS_END: &str =
    "keep the request's context for a streamed response, for what tears the request down, and in threads";

/// Where a response is streamed: its generator runs when the request's span is over.
/// `stream_with_context` brings Flask's own context there, and not this one. Flask calls
/// what tears a request down in reverse: the instrumentor, which ends the span there, comes
/// before each function that was registered sooner.
fn streamed(server: Option<Library>) -> Option<Fix> {
    let fix = Fix::new("attach the request's context in the generator of a streamed response");
    match server? {
        Library::Flask => Some(with_instrumentor(Fix::new(FLASKS_END).python(
            Side::Producer,
            FixPlace::AfterApp,
            [
                "from opentelemetry import context",
                "",
                "",
                "@app.after_request",
                "def keep_context(response):",
                "    if response.is_streamed:",
                "        ctx = context.get_current()",
                "        response.response = in_context(ctx, response.response)",
                "    return response",
                "",
                "",
                "def in_context(ctx, chunks):",
                "    token = context.attach(ctx)",
                "    try:",
                "        yield from chunks",
                "    finally:",
                "        context.detach(token)",
                "",
                "",
                "# Flask calls the first of these last: it ends the span",
                "for functions in app.teardown_request_funcs.values():",
                "    functions.sort(",
                "        key=lambda each: \"opentelemetry\" not in each.__module__",
                "    )",
            ],
        ).needing("what is registered with teardown_appcontext comes later still: let it be a teardown_request"))),
        Library::Wsgi | Library::Django => Some(fix.by_hand(
            Side::Producer,
            "take the current context in the handler, attach it first in the generator, and detach it last there",
        )),
        Library::Asgi | Library::Celery => None,
    }
}
