use super::reading::{began_anew, is_readable, is_run_missed, root_of, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{Confidence, Format, Place, Station};

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
    /// ```python
    /// task.apply_async(args, headers=carrier)  # not kwargs={"trace_context": carrier}
    /// ```
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
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(message) = unread_message(handoff) else { return Verdict::Clean };
    let in_body =
        message.contexts.iter().find(|found| found.place == Place::Body && found.context().is_some());
    let Some(sighting) = in_body.filter(|_| !message.contexts.iter().any(is_readable)) else {
        return Verdict::Clean;
    };
    let quoted = |found: Occurrence| {
        found.about(handoff).quote(quote::sighting(message, sighting)).fix(carrier::NOT_IN_ARGUMENTS)
    };
    let Some(confidence) = began_anew(handoff) else {
        // A run that should have been seen by now has a diagnosis of its own.
        if is_run_missed(handoff, known) {
            return Verdict::Clean;
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
    } else if sighting.format == Format::Ids {
        found.confidence = Confidence::Likely;
        found = found
            .variant("ids")
            .unless(slug::PRODUCER_NOT_INSTRUMENTED, "the ids may be there for the task's logs alone");
    }
    found.into()
}
