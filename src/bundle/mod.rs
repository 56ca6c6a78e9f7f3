//! Saved evidence, read and written: files and bundle folders, told apart by
//! their content; and what a live broker shows, in the same lines.

mod lines;
mod live;
mod notice;
mod overheard;
mod read;
mod reading;
mod receiver_log;
mod snapshot;
mod snapshot_writer;
mod spans;
mod whole_lines;
mod write;

pub use live::{Change, LiveBroker};
pub use notice::Notice;
pub use read::{BundleError, read_evidence};
pub use reading::Reading;
pub use receiver_log::{RequestEnd, receiver_line, request_line, unsettled_line};
pub use snapshot_writer::SnapshotWriter;
pub use spans::{Export, Keep};
pub use write::{BundleWriter, WriteError, Written};
