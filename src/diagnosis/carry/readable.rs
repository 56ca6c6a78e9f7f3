//! Whether a message can be read, and whether anyone read it.

use crate::diagnosis::rule::Known;
use crate::evidence::{Continuity, Handoff, SpanRef};
use crate::model::{CarriedContext, Confidence, Message, Place};

/// The message of a hand-off whose run is not known to have continued the trace.
///
/// A reader that follows an unusual form is not at fault: only the worker's author knows
/// what it reads.
pub fn unread_message<'e>(handoff: &Handoff<'e>) -> Option<&'e Message> {
    let continued = matches!(handoff.continuity(), Some(Continuity::Whole));
    handoff.message().filter(|_| !continued)
}

/// A valid context that an OpenTelemetry reader could find in the headers.
pub fn is_readable(carried: &CarriedContext) -> bool {
    carried.context().is_some()
        && !carried.format.is_vendor()
        && matches!(carried.place, Place::Header | Place::Carrier(_) | Place::NestedHeaders)
}

/// How sure it is that the run began a trace of its own. A hand-made root without an id may
/// be another task's run.
pub fn began_anew(handoff: &Handoff<'_>) -> Option<Confidence> {
    match handoff.continuity() {
        Some(Continuity::Orphaned) => Some(Confidence::Certain),
        Some(_) => None,
        None => handoff.candidate_runs.first().map(|_| Confidence::Likely),
    }
}

/// The span that began a trace of its own, as far as can be told.
pub fn root_of<'e>(handoff: &Handoff<'e>) -> Option<SpanRef<'e>> {
    handoff.consumer().or_else(|| handoff.candidate_runs.first().copied())
}

/// Whether spans come in, but none of a run that a worker is known to have begun. Then the
/// missing run says nothing about the message.
pub fn is_run_missed(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    known.has_spans() && handoff.was_consumed()
}
