//! Saved evidence: files and bundle folders, told apart by their content; and
//! what a live broker shows, in the same lines.

mod live;
mod read;
mod receiver_log;

pub use live::{Change, LiveBroker};
pub use read::{BundleError, Notice, Reading, announce, read_evidence, take};
