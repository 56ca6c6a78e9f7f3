//! The engine: asks every rule about everything that is known, groups what they find, and
//! makes a report, once (`judge_all`, `report`) or while evidence comes in (`live`). It
//! knows the rules through the registry alone.

mod conclusions;
mod figures;
mod findings;
mod judge;
mod judge_all;
mod live;
mod report;
mod retraction;
mod stations;
mod unproven;

pub use conclusions::Conclusions;
pub use judge_all::judge_all;
pub use live::{HandoffCounts, HandoffOutcome, LiveJudge, Pace, RequestSink, Waits};
pub use report::{Listing, report, report_expecting};
pub use unproven::{NOT_LOOKED_AT, unproven_handoff};
