use super::orphaned_run::{OrphanedRun, orphan};
use crate::diagnosis::advice::{extraction, propagators};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{ContextFormat, Station};

diagnosis! {
    /// ## What it means
    /// The message carries a standard context, flat, as every propagator reads
    /// it, and the worker's hand-made span is a root all the same: its author
    /// extracts the context and does not use it, or reads a carrier that is not
    /// there.
    ///
    /// ## What shows it
    /// A valid, flat context, W3C or of a format that the worker took up
    /// elsewhere, and a hand-made consumer span that is a root.
    /// Likely: the worker may read another shape, such as
    /// `headers["trace_context"]`.
    ///
    /// ## How to fix it
    /// Read the headers of the message, and open the task's span in what was read:
    /// `context=ctx`. Before Celery 5.3 `headers` is `None`, and they lie in the
    /// request itself. Where no run of the service was seen to read this format, its
    /// propagators may lack it instead.
    pub static EXTRACT_RESULT_IGNORED = {
        code: "TL304",
        slug: "extract-result-ignored",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the message carries a standard context, and the worker's hand-made span does not continue it",
        fixes: || {
            let worker = SdkSetup::default();
            let mut fixes = extraction::use_what_was_read("process_order", &worker);
            fixes.extend(propagators::read_what_is_written(ContextFormat::W3c, &worker));
            fixes
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let (Some(message), Some(OrphanedRun::HandMade(consumer))) = (handoff.message(), orphan(handoff)) else {
        return Judgment::Clean;
    };
    let is_read = |format: ContextFormat| {
        format == ContextFormat::W3c || known.readers().include(consumer.span.service(), format)
    };
    let flat = message
        .contexts
        .iter()
        .find(|found| found.is_flat_header() && found.context().is_some() && is_read(found.format));
    let Some(carried) = flat else { return Judgment::Clean };
    let worker = SdkSetup::of(&consumer.span.process);
    let mut fixes = extraction::use_what_was_read(&consumer.span.name, &worker);
    let mut found = Occurrence::likely().about(handoff).service(consumer.span.service());
    if !known.readers().include(consumer.span.service(), carried.format) {
        found = found.unless(
            slug::PROPAGATOR_MISMATCH,
            "a propagator of the worker that lacks the format leaves the same: no run of its service was seen to read it",
        );
        fixes.extend(propagators::read_what_is_written(carried.format, &worker));
    }
    found
        .quote(quote::context(message, carried))
        .quote(quote::span(consumer))
        .unless(slug::CARRIER_SHAPE_MISMATCH, "it may look for a carrier under a key of its own")
        .unless(slug::CARRIER_KEY_MISMATCH, "it may read a header of another name")
        .mend(fixes)
        .into()
}
