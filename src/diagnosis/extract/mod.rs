//! 3xx: the worker did not take the context up.

mod carrier_key_mismatch;
mod carrier_shape_mismatch;
mod duplicate_consumer_spans;
mod extract_result_ignored;
mod propagator_mismatch;
mod worker_crashed_reading_context;
mod worker_not_instrumented;

pub use carrier_key_mismatch::CARRIER_KEY_MISMATCH;
pub use carrier_shape_mismatch::CARRIER_SHAPE_MISMATCH;
pub use duplicate_consumer_spans::DUPLICATE_CONSUMER_SPANS;
pub use extract_result_ignored::EXTRACT_RESULT_IGNORED;
pub use propagator_mismatch::PROPAGATOR_MISMATCH;
pub use worker_crashed_reading_context::WORKER_CRASHED_READING_CONTEXT;
pub use worker_not_instrumented::WORKER_NOT_INSTRUMENTED;

use crate::evidence::{Continuity, Handoff, SpanRef};

/// A run of the hand-off that began a trace of its own.
enum Orphan<'e> {
    /// The instrumentor's: it reads flat headers, and joins by the id.
    Instrumented(SpanRef<'e>),
    /// Made by hand: what it reads only its author knows.
    HandMade(SpanRef<'e>),
}

impl<'e> Orphan<'e> {
    const fn span(&self) -> SpanRef<'e> {
        match self {
            Self::Instrumented(span) | Self::HandMade(span) => *span,
        }
    }
}

/// The run that began a trace of its own, or the hand-made span that may be it.
fn orphan<'e>(handoff: &Handoff<'e>) -> Option<Orphan<'e>> {
    match handoff.continuity() {
        Some(Continuity::Orphaned) => {
            let consumer = handoff.consumer()?;
            Some(if consumer.span.is_instrumented_run() {
                Orphan::Instrumented(consumer)
            } else {
                Orphan::HandMade(consumer)
            })
        }
        Some(_) => None,
        None => handoff.lookalikes.first().copied().map(Orphan::HandMade),
    }
}
