//! Saved evidence: files and bundle folders, told apart by their content.

mod read;

pub use read::{BundleError, Notice, Reading, announce, read_evidence, take};
