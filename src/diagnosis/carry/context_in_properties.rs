use super::readable::{is_readable, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Place, Station};

diagnosis! {
    /// ## What it means
    /// The carrier was passed as keyword arguments of `apply_async` itself, so
    /// it lies in the message's properties. No worker sees those.
    ///
    /// ## What shows it
    /// `properties.traceparent`, and no context in the headers.
    ///
    /// ## How to fix it
    /// Write the context into `headers=`, not into `**carrier`: right before the
    /// publish, or in each message that Celery publishes.
    pub static CONTEXT_IN_PROPERTIES = {
        code: "TL204",
        slug: "context-in-properties",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the context lies in the message's properties, which no worker reads",
        fixes: || carrier::flat(&Sides::of_celery()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    let misplaced =
        message.contexts.iter().find(|found| found.place == Place::Property && found.context().is_some());
    let Some(carried) = misplaced.filter(|_| !message.contexts.iter().any(is_readable)) else {
        return Judgment::Clean;
    };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::context(message, carried))
        .mend(carrier::flat(&Sides::of(handoff)))
        .into()
}
