//! Events while evidence comes in. Every format and every view of a running receiver
//! consumes one stream of these.

use super::{Finding, HandoffReport, LimitCounts, TraceReport};

/// One event.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Traces that belong together became whole, settled, or changed since.
    Traces { traces: Vec<TraceReport>, handoffs: Vec<HandoffReport> },
    /// A cause was found for the first time, with an example.
    Finding { finding: Box<Finding>, handoffs: Vec<HandoffReport>, traces: Vec<TraceReport> },
    /// A finding that was reported does not hold any more.
    Resolved(Box<Finding>),
    /// Evidence was let go or refused for the first time since this was last reported.
    Limit(LimitCounts),
}

impl Event {
    /// A finding without an example.
    pub fn of_finding(finding: Finding) -> Self {
        Self::Finding { finding: Box::new(finding), handoffs: Vec::new(), traces: Vec::new() }
    }
}
