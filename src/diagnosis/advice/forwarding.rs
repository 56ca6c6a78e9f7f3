//! How a task hands its context on to the tasks that it publishes.

use super::carrier_shape::CarrierShape;
use super::injection::by_signal;
use super::instrumentation::newer;
use super::setup;
use crate::diagnosis::known::SdkSetup;
use crate::evidence::OtlpProtocol;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// What was seen of the run that published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// It is the instrumentor's, of this release.
    Instrumented(Option<u32>),
    /// Its span is made by hand.
    ByHand,
    /// Its process sends spans, and none of a run.
    Bare,
    /// Nothing of its process was seen.
    Unseen,
}

/// From this release on the instrumentor knows a task by its name alone.
const KNOWS_NAMES: u32 = 39;

/// Mends TL107: in the worker that publishes. `is_chain` says that Celery publishes
/// the next task itself, when the run of this one is over.
pub fn context_not_forwarded(
    run: Run,
    is_chain: bool,
    shape: &CarrierShape,
    setting: &SdkSetup,
    exports: OtlpProtocol,
) -> Vec<Fix> {
    const WORDS: &str = "inject the context of the run into the headers of each task that it publishes, where its reader looks";
    let fix = Fix::new("put the context of the run into each message that its task publishes");
    let lines = if is_chain { after_the_run(shape) } else { Some(by_signal(shape)) };
    let lines =
        lines.filter(|_| setting.language.code() == Some(Language::Python) && *shape != CarrierShape::Other);
    let by_hand = match lines {
        Some(lines) => fix.python(Side::Worker, FixPlace::WorkerModule, lines),
        None => fix.by_hand(Side::Worker, WORDS),
    };
    match run {
        _ if setting.language.code() != Some(Language::Python) => vec![by_hand],
        Run::Instrumented(release) if release.is_none_or(|release| release < KNOWS_NAMES) => {
            let stub = Fix::new("let the worker know the task that it publishes").by_hand(
                Side::Worker,
                "register a task of that name in the application that publishes it: this instrumentor passes over tasks that its process does not know",
            );
            vec![by_hand, newer(Side::Worker), stub]
        }
        Run::Instrumented(_) | Run::ByHand => vec![by_hand],
        Run::Bare => vec![instrument(), by_hand],
        Run::Unseen => setup::worker(exports).into_iter().chain([by_hand]).collect(),
    }
}

/// The provider may come later: the instrumentor's tracer waits for it.
fn instrument() -> Fix {
    let lines = [
        "from opentelemetry.instrumentation.celery import CeleryInstrumentor",
        "",
        "CeleryInstrumentor().instrument()",
    ];
    Fix::new("instrument Celery in the worker, which publishes too")
        .python(Side::Worker, FixPlace::WorkerModule, lines)
        .installing(["opentelemetry-instrumentation-celery"])
}

/// A receiver of the signal before each publish, for when the run's span is over: what
/// came in with the task is what there is to continue.
fn after_the_run(shape: &CarrierShape) -> Option<Vec<Text>> {
    let came_in = match shape {
        CarrierShape::Flat => "ctx = propagate.extract(came_in)".to_owned(),
        CarrierShape::Object(key) => format!("ctx = propagate.extract(came_in.get(\"{key}\", {{}}))"),
        CarrierShape::Json(key) => {
            format!("ctx = propagate.extract(json.loads(came_in.get(\"{key}\", \"{{}}\")))")
        }
        CarrierShape::Other => return None,
    };
    let (imports, put) = shape.python()?;
    let (first, _): (Vec<_>, Vec<_>) =
        imports.into_iter().partition(|import| !import.starts_with("from opentelemetry"));
    let head = [
        "from celery import current_task",
        "from celery.signals import before_task_publish",
        "from opentelemetry import propagate, trace",
        "",
        "",
        "@before_task_publish.connect(weak=False)",
        "def hand_on_context(headers=None, **_):",
        "    ctx = None",
        "    span = trace.get_current_span()",
        "    if current_task and not span.get_span_context().is_valid:",
        "        request = current_task.request",
        "        came_in = request.headers or vars(request)",
    ];
    let open = [
        "    tracer = trace.get_tracer(\"celery\")",
        "    with tracer.start_as_current_span(\"publish\", context=ctx):",
    ];
    let indented = |line: Text| Text::from(format!("        {line}"));
    let came_in = [indented(came_in.into())];
    let lines = first.into_iter().chain(head.map(Text::from)).chain(came_in).chain(open.map(Text::from));
    Some(lines.chain(put.into_iter().map(indented)).collect())
}
