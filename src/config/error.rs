//! What is wrong with a configuration file.

use std::io;

use crate::model::{Blame, Blamed};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {error}")]
    Unreadable { path: String, error: io::Error },
    #[error("{path}: longer than {most} bytes, so it is no configuration")]
    TooLong { path: String, most: u64 },
    #[error("{path}: it is not UTF-8, as TOML must be")]
    NotText { path: String },
    /// In a line, counted from 1.
    #[error("{path}:{line}: {what}")]
    Wrong { path: String, line: usize, what: String },
    /// A file that was named and says nothing of tracelink.
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
