//! The catalogue: why a trace broke.
//!
//! In layers, the lowest first; each imports from those before it:
//!
//! 1. `slug`, `quote`, `unsampled`: the names by which rules speak of each other; evidence as it
//!    is quoted; what a message says of its sampling
//! 2. `known`: what is known besides one hand-off
//! 3. `partial_run`, `occurrence`, `advice`: what arrived of a run whose own span did not;
//!    what one check found; the fixes
//! 4. `rule`: what a rule is
//! 5. `inject`, `carry`, `extract`, `export` and the others: the rules, one a file
//! 6. `registry`: all rules, and the order in which they speak
//! 7. `engine`: judges with them, and reports
//!
//! This file declares them, and hands on what other rooms use.

mod advice;
mod engine;
mod known;
mod occurrence;
mod partial_run;
mod quote;
mod registry;
mod rule;
mod slug;
mod unsampled;

mod carry;
mod delivery;
mod export;
mod extract;
mod identity;
mod inject;
mod privacy;
mod sampling;
mod tree;

pub use engine::{
    Conclusions, HandoffCounts, HandoffOutcome, Listing, LiveJudge, NOT_LOOKED_AT, Pace, RequestSink, Waits,
    judge_all, report, report_expecting, unproven_handoff,
};
pub use registry::{all, find};
pub use rule::Diagnosis;
