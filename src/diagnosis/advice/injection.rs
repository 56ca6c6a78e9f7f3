//! How the code that publishes hands its context over.

use super::carrier_shape::CarrierShape;
use super::threads::with_instrumentor;
use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// Mends TL101 where the message is not published by Celery's own code: where the
/// application builds it.
pub fn in_own_message(setting: &SdkSetup) -> Vec<Fix> {
    let title = "put the current context into the headers of the message";
    vec![at(Fix::new(title), Side::Producer, FixPlace::Publish, &CarrierShape::Flat, setting, false)]
}

/// Mends TL101 and TL108 without spans of the publishing itself.
pub fn each_message() -> Fix {
    Fix::new("put the current context into each message by a signal of Celery").python(
        Side::Producer,
        FixPlace::BeforeApp,
        by_signal(&CarrierShape::Flat),
    )
}

/// Mends TL113 where the instrumentor wrote a context, and the program took it out again.
pub fn leave_what_is_written() -> Fix {
    Fix::new("leave what is written in the message")
        .by_hand(
            Side::Producer,
            "look for a receiver of `before_task_publish`, or a transport of the program's own, that takes headers out of the message: `traceparent`, `tracestate` and `baggage` have to stay",
        )
        .needing("the propagators write a context, and something takes it out again")
}

/// Mends TL208 where the instrumentor's context is gone from the message.
pub fn let_the_instrumentor_write() -> Fix {
    Fix::new("let nothing but the instrumentor write the context").by_hand(
        Side::Producer,
        "look for a vendor's agent in the process that publishes, which writes `traceparent` into each message too (`tracestate` names it), and for a receiver of `before_task_publish` that was connected later: switch off that agent's distributed tracing, or the agent",
    )
}

/// Mends TL103: where the application publishes, and in whatever thread.
pub fn while_a_span_is_current(shape: &CarrierShape, setting: &SdkSetup, is_hand_made: bool) -> Fix {
    let fix = Fix::new("fill the carrier with the context of the request");
    let fix = if setting.language.code() == Some(Language::Python) { with_instrumentor(fix) } else { fix };
    at(fix, Side::Producer, FixPlace::Publish, shape, setting, !is_hand_made)
}

/// Mends TL106: where the task is retried, and by Celery itself.
pub fn on_retry(shape: &CarrierShape, setting: &SdkSetup) -> Vec<Fix> {
    let by_hand = Fix::new("hand the context of the run on with the retry");
    let by_celery = Fix::new("let Celery keep the headers on a retry")
        .install(Side::Worker, Language::Python, ["celery>=5.3"])
        .needing("the task calls self.retry(): from this version on it sends the headers again");
    vec![at(by_hand, Side::Worker, FixPlace::Retry, shape, setting, true), by_celery]
}

/// Mends TL109: where the application publishes.
pub fn for_each_call(shape: &CarrierShape, setting: &SdkSetup, is_hand_made: bool) -> Vec<Fix> {
    let fix = Fix::new("make a carrier of its own for each message");
    vec![at(fix, Side::Producer, FixPlace::Publish, shape, setting, !is_hand_made)]
}

/// Mends TL111: where the application publishes, or the task does.
pub fn own_context(side: Side, shape: &CarrierShape, setting: &SdkSetup, is_hand_made: bool) -> Vec<Fix> {
    let fix = Fix::new("put the context of the sender's own span into the message");
    vec![at(fix, side, FixPlace::Publish, shape, setting, !is_hand_made)]
}

/// Adds the lines that put the current context into the headers at this place, in
/// headers of their own where the program makes them for the context alone.
fn at(fix: Fix, side: Side, place: FixPlace, shape: &CarrierShape, setting: &SdkSetup, is_anew: bool) -> Fix {
    match setting.language.code() {
        Some(Language::Python) => {
            let Some((imports, put)) = shape.python() else { return in_words(fix, side) };
            let anew = is_anew.then(|| Text::from("headers = {}"));
            fix.python(side, place, imports.into_iter().chain(["".into()]).chain(anew).chain(put))
        }
        Some(Language::JavaScript) => match shape.javascript() {
            Some(lines) => fix.javascript(side, place, lines).installing(["@opentelemetry/api"]),
            None => in_words(fix, side),
        },
        None => in_words(fix, side),
    }
}

fn in_words(fix: Fix, side: Side) -> Fix {
    fix.by_hand(
        side,
        "inject the current context, by the global propagator, right before each message is sent, and put what it wrote where the reader looks",
    )
}

/// A receiver of the signal that Celery sends before it publishes, with the headers.
pub fn by_signal(shape: &CarrierShape) -> Vec<Text> {
    let (imports, put) = shape.python().or_else(|| CarrierShape::Flat.python()).unwrap_or_default();
    let (first, last): (Vec<_>, Vec<_>) =
        imports.into_iter().partition(|import| !import.starts_with("from opentelemetry"));
    let signal = ["from celery.signals import before_task_publish".into()].into_iter();
    let head = ["", "", "@before_task_publish.connect(weak=False)", "def inject_context(headers=None, **_):"];
    let body = put.into_iter().map(|line| Text::from(format!("    {line}")));
    first.into_iter().chain(signal).chain(last).chain(head.map(Text::from)).chain(body).collect()
}
