//! What is told while evidence comes in. Every format and every view of a
//! running receiver consumes one stream of these.

use super::{Finding, HandoffReport, Limits, TraceReport};

/// Something to tell.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Traces that belong together became whole, or settled, or changed since.
    Traces { traces: Vec<TraceReport>, handoffs: Vec<HandoffReport> },
    /// A cause was found for the first time, with an example of what it did.
    Finding { finding: Box<Finding>, handoffs: Vec<HandoffReport>, traces: Vec<TraceReport> },
    /// What was said of a cause does not hold any more.
    Resolved(Box<Finding>),
    /// Evidence was let go or refused for the first time since it was last told.
    Limit(Limits),
}
