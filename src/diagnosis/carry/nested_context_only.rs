use super::readable::{began_anew, is_run_missed, root_of, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Confidence, Place, Severity, Station};

diagnosis! {
    /// ## What it means
    /// The context lies one level too deep, in `headers.headers`. That was a
    /// workaround for old versions of Celery, and a reader written for it may follow it;
    /// the OpenTelemetry instrumentor reads flat headers only.
    ///
    /// ## What shows it
    /// A `traceparent` at `headers.headers` and none above it. A note, as long
    /// as nothing shows that the worker does not read it; an error where its
    /// span is seen to begin a trace of its own.
    ///
    /// ## How to fix it
    /// Write the context flat too: `headers=carrier`, not `headers={"headers": carrier}`.
    /// A reader of nested headers still finds its own.
    pub static NESTED_CONTEXT_ONLY = {
        code: "TL207",
        slug: "nested-context-only",
        station: Some(Station::Carry),
        severity: Note,
        summary: "the context lies in headers.headers only, which the OpenTelemetry instrumentor does not read",
        fixes: || carrier::flat(&Sides::of_celery()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    let nested = message.contexts.iter().find(|found| {
        found.place == Place::NestedHeaders && found.context().is_some() && !found.format.is_vendor()
    });
    let Some(carried) = nested else { return Judgment::Clean };
    let has_other = message.contexts.iter().any(|found| {
        found.context().is_some()
            && matches!(found.place, Place::Header | Place::Carrier(_))
            && !found.format.is_vendor()
    });
    if has_other || (handoff.consumer().is_some() && handoff.is_whole()) {
        return Judgment::Clean;
    }
    let found = Occurrence::certain()
        .about(handoff)
        .quote(quote::context(message, carried))
        .mend(carrier::flat(&Sides::of(handoff)));
    if let Some(confidence) = began_anew(handoff) {
        let found = Occurrence { confidence, ..found }.severity(Severity::Error);
        return found.quote(root_of(handoff).map(quote::span)).into();
    }
    // If a run should have been seen by now, another diagnosis says so.
    if is_run_missed(handoff, known) {
        return Judgment::Clean;
    }
    Occurrence { confidence: Confidence::Possible, ..found }
        .variant("predicted")
        .needs("the worker's spans, to see whether it follows the context")
        .predicted()
        .into()
}
