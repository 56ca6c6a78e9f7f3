use super::orphaned_run::{OrphanedRun, orphan};
use crate::diagnosis::advice::carrier;
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Place, Station};

diagnosis! {
    /// ## What it means
    /// The two sides propagate in two ways: the API hands a carrier of its own
    /// over (`headers["trace_context"]`), the worker is instrumented and reads
    /// flat headers only; or the other way round.
    ///
    /// ## What shows it
    /// A valid context in a custom carrier, none in the flat headers, and the
    /// instrumentor's `run/…` span of this very task is a root.
    ///
    /// ## How to fix it
    /// Write the context flat, which the instrumentor reads: right before the publish,
    /// or in each message that Celery publishes.
    pub static CARRIER_SHAPE_MISMATCH = {
        code: "TL303",
        slug: "carrier-shape-mismatch",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the context lies in a carrier of the application's own, and the worker's instrumentor reads flat headers only",
        fixes: || carrier::flat(&Sides::of_celery()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let (Some(message), Some(OrphanedRun::Instrumented(consumer))) = (handoff.message(), orphan(handoff))
    else {
        return Judgment::Clean;
    };
    if message
        .contexts
        .iter()
        .any(|found| found.is_flat_header() && found.context().is_some() && !found.format.is_vendor())
    {
        return Judgment::Clean;
    }
    let carrier = message.contexts.iter().find(|found| {
        found.context().is_some()
            && matches!(found.place, Place::Carrier(_) | Place::NestedHeaders)
            && !found.format.is_vendor()
    });
    let Some(carried) = carrier else { return Judgment::Clean };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::context(message, carried))
        .quote(quote::span(consumer))
        .mend(carrier::flat(&Sides::of(handoff)))
        .into()
}
