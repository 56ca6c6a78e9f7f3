//! The engine: asks every rule about everything that is known, puts like to
//! like, and makes a report of it, once (`judge`, `assemble`) or while evidence
//! comes in (`watch`). It knows rules by the registry alone.

mod assemble;
mod excerpt;
mod figures;
mod findings;

mod conclusions;
mod judge;
mod judge_all;
mod retraction;
mod stations;
mod unproven;
mod watch;

pub use assemble::{Listing, report, report_expecting};
pub use conclusions::Conclusions;
pub use judge_all::judge_all;
pub use watch::{Pace, Taking, Watch};
