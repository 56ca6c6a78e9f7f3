//! The run that did not continue the trace, by what made its span.

use crate::evidence::{Continuity, Handoff, SpanRef};

/// A run of the hand-off that began a trace of its own.
pub enum OrphanedRun<'e> {
    /// The instrumentor: it reads flat headers and joins by the id.
    Instrumented(SpanRef<'e>),
    /// By hand: only its author knows what it reads.
    HandMade(SpanRef<'e>),
}

impl<'e> OrphanedRun<'e> {
    pub const fn span(&self) -> SpanRef<'e> {
        match self {
            Self::Instrumented(span) | Self::HandMade(span) => *span,
        }
    }
}

/// The run that began a trace of its own, or the hand-made span that may be it.
pub fn orphan<'e>(handoff: &Handoff<'e>) -> Option<OrphanedRun<'e>> {
    match handoff.continuity() {
        Some(Continuity::Orphaned) => {
            let consumer = handoff.consumer()?;
            Some(if consumer.span.is_instrumented_run() {
                OrphanedRun::Instrumented(consumer)
            } else {
                OrphanedRun::HandMade(consumer)
            })
        }
        Some(_) => None,
        None => handoff.candidate_runs.first().copied().map(OrphanedRun::HandMade),
    }
}
