//! What is wrong with a configuration file.

use std::io;

use crate::model::{Blame, Blamed};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {error}")]
    Unreadable { path: String, error: io::Error },
    #[error("{path}: longer than {most} bytes, so it is not a configuration")]
    TooLong { path: String, most: u64 },
    #[error("{path}: it is not UTF-8, as TOML must be")]
    NotText { path: String },
    /// An error in a line, counted from 1.
    #[error("{path}:{line}: {what}")]
    Wrong { path: String, line: usize, what: String },
    /// A file that was named and has nothing for tracelink.
    #[error("{path}: it has no table [tool.tracelink]")]
    NoTable { path: String },
}

impl Blamed for Error {
    fn blame(&self) -> Blame {
        match self {
            Self::Unreadable { .. } => Blame::Environment,
            Self::TooLong { .. } | Self::NotText { .. } | Self::Wrong { .. } | Self::NoTable { .. } => {
                Blame::Usage
            }
        }
    }
}
