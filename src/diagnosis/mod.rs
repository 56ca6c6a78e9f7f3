//! The catalogue: why a trace broke.
//!
//! In layers, the lowest first; each imports from those before it:
//!
//! 1. `slug`, `quote`, `known`, `occurrence`, `advice`: the names of rules, evidence as it
//!    is quoted, what is known besides a hand-off, what one check found, and the fixes
//! 2. `rule`: what a rule is
//! 3. `inject`, `carry`, `extract`, `export` and the others: the rules, one a file
//! 4. `registry`: all rules, and the order in which they speak
//! 5. `engine`: judges with them, and reports
//!
//! This file declares them, and hands on what other rooms use.

mod advice;
mod engine;
mod known;
mod occurrence;
mod parts;
mod quote;
mod registry;
mod rule;
mod slug;

mod carry;
mod delivery;
mod export;
mod extract;
mod identity;
mod inject;
mod privacy;
mod sampling;
mod tree;

pub use engine::{Ledger, Listing, Pace, Watch, judge, report, report_expecting};
pub use registry::{all, find};
pub use rule::Diagnosis;
