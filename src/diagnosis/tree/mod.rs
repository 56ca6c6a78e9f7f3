//! 9xx: the tree itself; and 000, where the evidence at hand does not say why.

mod clock_skew;
mod evidence_evicted;
mod orphaned_consumer;
mod span_cycle;
mod too_few_handoffs;

pub use clock_skew::CLOCK_SKEW;
pub use evidence_evicted::EVIDENCE_EVICTED;
pub use orphaned_consumer::{ORPHANED_CONSUMER, of_span};
pub use span_cycle::SPAN_CYCLE;
pub use too_few_handoffs::TOO_FEW_HANDOFFS;
