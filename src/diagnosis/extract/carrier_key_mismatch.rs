use super::orphaned_run::{OrphanedRun, orphan};
use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::extraction;
use crate::diagnosis::known::{Reader, Sides};
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{CarriedContext, Place, Station};

diagnosis! {
    /// ## What it means
    /// The application hands the context over under a key of its own, and the
    /// worker, whose span is made by hand too, does not find it: it reads
    /// another key (`trace_context` for `trace-context`).
    ///
    /// ## What shows it
    /// A valid context in a custom carrier, and a hand-made consumer span that
    /// is a root. Which key the worker reads cannot be seen from outside, so
    /// this is likely at most.
    ///
    /// ## How to fix it
    /// One key on both sides: the task reads the one that the message has. Or use
    /// flat headers, which every reader understands.
    pub static CARRIER_KEY_MISMATCH = {
        code: "TL302",
        slug: "carrier-key-mismatch",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the context lies under a key that the worker does not read",
        fixes: || {
            let carried = CarrierShape::Json("trace_context".to_owned());
            extraction::by_key(Some(carried), &Sides { reader: Reader::ByHand, ..Sides::of_celery() })
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let (Some(message), Some(OrphanedRun::HandMade(consumer))) = (handoff.message(), orphan(handoff)) else {
        return Judgment::Clean;
    };
    let is_carrier =
        |found: &&CarriedContext| matches!(found.place, Place::Carrier(_)) && found.context().is_some();
    let carrier = message.contexts.iter().find(is_carrier);
    let Some(carried) = carrier else { return Judgment::Clean };
    Occurrence::likely()
        .about(handoff)
        .service(consumer.span.service())
        .says("the context lies under a key of the application's own, and the worker's hand-made span did not take it up: it reads another key")
        .quote(quote::context(message, carried))
        .quote(quote::span(consumer))
        .unless(slug::CARRIER_SHAPE_MISMATCH, "it may read the right key in another shape")
        .unless(slug::EXTRACT_RESULT_IGNORED, "it may read the carrier and drop what it read")
        .mend(extraction::by_key(CarrierShape::under_its_key(carried), &Sides::of(handoff)))
        .into()
}
