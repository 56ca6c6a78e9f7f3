use super::reading::{began_anew, is_readable, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{Confidence, Place, Station};

diagnosis! {
    /// ## What it means
    /// The context travels among the task's arguments, and nothing in the
    /// headers. Instrumentors and readers of `self.request.headers` do not look
    /// there.
    ///
    /// ## What shows it
    /// A context in `args` or `kwargs` (or in `argsrepr`, where the body cannot
    /// be read), none in the headers, and no run that is known to follow it.
    ///
    /// ## How to fix it
    /// ```python
    /// task.apply_async(args, headers=carrier)  # not kwargs={"trace_context": carrier}
    /// ```
    pub static CONTEXT_IN_BODY = {
        code: "TL203",
        slug: "context-in-body",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the context travels in the task's arguments, where no instrumentor looks, and not in the headers",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let Some(message) = unread_message(handoff) else { return Verdict::Clean };
    let in_body =
        message.contexts.iter().find(|found| found.place == Place::Body && found.context().is_some());
    let Some(sighting) = in_body.filter(|_| !message.contexts.iter().any(is_readable)) else {
        return Verdict::Clean;
    };
    let found = if began_anew(handoff) == Some(Confidence::Certain) {
        Occurrence::certain()
    } else {
        Occurrence::likely()
            .unless(
                slug::EXTRACT_RESULT_IGNORED,
                "the task may read it from its arguments: its spans would tell",
            )
            .needs("the worker's spans, to see whether it follows the context")
    };
    found.about(handoff).quote(quote::sighting(message, sighting)).fix(carrier::NOT_IN_ARGUMENTS).into()
}
