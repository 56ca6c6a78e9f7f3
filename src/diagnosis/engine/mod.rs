//! The engine: asks every rule about everything that is known, puts like to
//! like, and makes a report of it, once (`judge`, `assemble`) or while evidence
//! comes in (`watch`). It knows rules by the registry alone.

mod assemble;
mod excerpt;
mod figures;
mod findings;

mod judge;
mod judging;
mod ledger;
mod proof;
mod retraction;
mod stations;
mod watch;

pub use assemble::{Listing, report, report_expecting};
pub use judge::judge;
pub use ledger::Ledger;
pub use watch::{Pace, Watch};
