//! Saved evidence, read and written: files and bundle folders, told apart by their
//! content. Nothing here knows a live broker or receiver, or a diagnosis.

mod content;
mod evidence_options;
mod folder;
mod framed;
mod json;
mod kind;
mod lines;
mod overheard;
mod place;
mod read;
mod receiver_log;
mod request;
mod signals;
mod skipped;
mod snapshot;
mod snapshot_writer;
mod spanless;
mod spans;
mod store;
mod text;
mod whole_lines;
mod write;

pub use evidence_options::EvidenceOptions;
pub use folder::bytes_to_read;
pub use place::Place;
pub use read::{BundleError, read_evidence};
pub use receiver_log::{RequestEnd, receiver_line, request_line, unsettled_line};
pub use skipped::Skipped;
pub use snapshot_writer::SnapshotWriter;
pub use spans::{Export, SavedParts};
pub use store::{BytesRead, Store, StoreSink};
pub use write::{BundleWriter, WriteError, Written};
