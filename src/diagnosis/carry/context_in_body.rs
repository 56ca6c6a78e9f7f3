use super::readable::{began_anew, is_readable, is_run_missed, root_of, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::known::{Reader, Sides};
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{CarriedContext, Confidence, ContextFormat, Place, Station};

diagnosis! {
    /// ## What it means
    /// The context travels among the task's arguments, and nothing in the
    /// headers. Instrumentors and readers of `self.request.headers` do not look
    /// there.
    ///
    /// ## What shows it
    /// A context in `args` or `kwargs` (or in `argsrepr`, where the body cannot
    /// be read), none in the headers, and a run that is a root. From a queue alone
    /// it is a prediction, and a note: a task may read its arguments.
    ///
    /// ## How to fix it
    /// Write the context into the headers where the task is published. A task that reads it
    /// from its arguments then has two: under an instrumentor its spans belong below the
    /// run, which is current. Without one the task has to read the headers.
    ///
    /// ## What it is not
    /// A run, or the first spans of the task where nothing makes one, that
    /// continues the context or links to it.
    pub static CONTEXT_IN_BODY = {
        code: "TL203",
        slug: "context-in-body",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the context travels in the task's arguments, where no instrumentor looks, and not in the headers",
        fixes: || carrier::not_in_arguments(true, &Sides { reader: Reader::Instrumentor, ..Sides::of_celery() }),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    let in_body =
        message.contexts.iter().find(|found| found.place == Place::Body && found.context().is_some());
    let Some(carried) = in_body.filter(|_| !message.contexts.iter().any(is_readable)) else {
        return Judgment::Clean;
    };
    let fixes = carrier::not_in_arguments(is_followed_inside(handoff, known, carried), &Sides::of(handoff));
    let quoted = |found: Occurrence| found.about(handoff).quote(quote::context(message, carried)).mend(fixes);
    let Some(confidence) = began_anew(handoff) else {
        // If a run should have been seen by now, another diagnosis says so.
        if is_run_missed(handoff, known) {
            return Judgment::Clean;
        }
        let found = quoted(Occurrence::possible())
            .variant("predicted")
            .says("the context travels in the task's arguments and not in the headers: a task that reads it there follows it, an instrumentor does not")
            .needs("the worker's spans, to see whether it follows the context");
        return found.predicted().into();
    };
    let mut found = quoted(Occurrence::new(confidence)).quote(root_of(handoff).map(quote::span));
    if confidence == Confidence::Likely {
        found = found
            .unless(
                slug::EXTRACT_RESULT_IGNORED,
                "the task may read it from its arguments: its spans would tell",
            )
            .needs("the worker's spans, to see whether it follows the context");
    } else if carried.format == ContextFormat::Ids {
        found.confidence = Confidence::Likely;
        found = found
            .variant("ids")
            .unless(slug::PRODUCER_NOT_INSTRUMENTED, "the ids may be there for the task's logs alone");
    }
    found.into()
}

/// Whether the task reads the context from its arguments, inside the run.
fn is_followed_inside(handoff: &Handoff<'_>, known: &Known<'_>, carried: &CarriedContext) -> bool {
    let (Some(run), Some(context)) = (handoff.consumer(), carried.context()) else { return false };
    let Some(trace) = known.evidence.spans.trace(context.trace_id) else { return false };
    trace.spans.iter().any(|span| {
        span.parent == Some(context.span_id)
            && span.process == run.span.process
            && span.start >= run.span.start
            && span.end <= run.span.end
    })
}
