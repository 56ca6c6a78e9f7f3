use super::orphan::{Orphan, orphan};
use crate::diagnosis::advice::extraction;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{Encoding, Place, Station};

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
    /// One key on both sides; or none, which is what every reader understands:
    ///
    /// ```python
    /// task.apply_async(args, headers=carrier)             # in the API
    /// ctx = propagate.extract(self.request.headers or vars(self.request)) # in the worker
    /// ```
    pub static CARRIER_KEY_MISMATCH = {
        code: "TL302",
        slug: "carrier-key-mismatch",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the context lies under a key that the worker does not read",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let (Some(message), Some(Orphan::HandMade(consumer))) = (handoff.message(), orphan(handoff)) else {
        return Verdict::Clean;
    };
    let carrier = message.contexts.iter().find_map(|found| match &found.place {
        Place::Carrier(key) if found.context().is_some() => Some((found, key)),
        _ => None,
    });
    let Some((sighting, key)) = carrier else { return Verdict::Clean };
    Occurrence::likely()
        .about(handoff)
        .service(consumer.span.service())
        .says("the context lies under a key of the application's own, and the worker's hand-made span did not take it up: it reads another key")
        .quote(quote::sighting(message, sighting))
        .quote(quote::span(consumer))
        .unless(slug::CARRIER_SHAPE_MISMATCH, "it may read the right key in another shape")
        .unless(slug::EXTRACT_RESULT_IGNORED, "it may read the carrier and drop what it read")
        .fix(extraction::by_key(key, sighting.encoding == Encoding::JsonText))
        .into()
}
