use super::readable::{is_readable, unread_message};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Place, Station};

diagnosis! {
    /// ## What it means
    /// The context is there under a name in another case, such as
    /// `Traceparent`. HTTP headers have no case; the headers of a Celery
    /// message are a Python dict and do, so the worker does not find it.
    ///
    /// ## What shows it
    /// `Traceparent` or `TRACEPARENT` in the headers, and no context under the
    /// name in lower case.
    ///
    /// ## How to fix it
    /// Let a propagator write it, which writes lower case: right before the publish,
    /// or in each message that Celery publishes.
    pub static HEADER_NAME_CASE = {
        code: "TL202",
        slug: "header-name-case",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the context lies under a header name in another case, and a Python dict is not case-insensitive",
        fixes: || carrier::flat(&Sides::of_celery()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    let misnamed = message
        .contexts
        .iter()
        .find(|found| found.place == Place::HeaderInOtherCase && found.context().is_some());
    let Some(carried) = misnamed.filter(|_| !message.contexts.iter().any(is_readable)) else {
        return Judgment::Clean;
    };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(
            format!("{}.headers", quote::place(message)),
            format!("{}: {}", carried.at.trim_start_matches("headers."), carried.text),
        ))
        .mend(carrier::flat(&Sides::of(handoff)))
        .into()
}
