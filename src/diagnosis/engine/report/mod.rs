//! Makes the one golden report from the evidence and its findings.

mod assemble;
mod excerpt;
mod handoffs;
mod listing;
mod queues;
mod traces;

pub(super) use assemble::{limits, report_with};
pub use assemble::{report, report_expecting};
pub(super) use handoffs::{example, handoff_reports};
pub use listing::Listing;
pub(super) use traces::trace_report;
