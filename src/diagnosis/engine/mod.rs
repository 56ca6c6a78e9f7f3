//! The engine: asks every rule about everything that is known, puts like to
//! like, and makes a report of it, once (`judge_all`, `report`) or while evidence
//! comes in (`watch`). It knows rules by the registry alone.

mod conclusions;
mod figures;
mod findings;
mod judge;
mod judge_all;
mod report;
mod retraction;
mod stations;
mod unproven;
mod watch;

pub use conclusions::Conclusions;
pub use judge_all::judge_all;
pub use report::{Listing, report, report_expecting};
pub use watch::{Pace, Taking, Watch};
