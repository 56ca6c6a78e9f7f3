//! Saved evidence: files and bundle folders, told apart by their content; and
//! what a live broker shows, in the same lines.

mod lines;
mod live;
mod notice;
mod overheard;
mod read;
mod receiver_log;
mod snapshot;
mod spans;

pub use live::{Change, LiveBroker};
pub use notice::Notice;
pub use read::{BundleError, Reading, read_evidence};
