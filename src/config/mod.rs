//! What a project wants of tracelink, from a file: `tracelink.toml`, or the table
//! `[tool.tracelink]` of a `pyproject.toml`.
//!
//! It reads that file and says what is wrong with it, by line. What comes before
//! it (the command line, the environment) and what is done with it is not its
//! affair, and it knows no date.

mod error;
mod find;
mod keys;
mod mask;
mod read;
pub mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::model::Severity;
use crate::policy::Entry;

pub use self::error::Error;
pub use self::keys::{IGNORE, IGNORE_KEYS, KEYS, Key, SEVERITY, Takes};
pub use self::mask::masked;
pub use self::read::parse;

/// Which configuration is to be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    /// That of the nearest file.
    #[default]
    Nearest,
    File(PathBuf),
    Nothing,
}

/// What a file says.
#[derive(Default, Debug)]
pub struct Config {
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// In the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// By slug, each with the line where it stands.
    pub severities: BTreeMap<&'static str, (Severity, usize)>,
    /// In the order of the file.
    pub ignore: Vec<Entry>,
}

/// The value of an option.
pub struct Setting {
    pub key: &'static Key,
    /// As it would stand on the command line.
    pub value: String,
    /// Counted from 1.
    pub line: usize,
}

/// Without a value that may hold a password.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.key.is_secret { "***" } else { &self.value };
        write!(f, "{} = {value:?} in line {}", self.key.name, self.line)
    }
}
