//! A project's settings for tracelink, from a file: `tracelink.toml`, or the table
//! `[tool.tracelink]` of a `pyproject.toml`.
//!
//! This room reads the file and says what is wrong with it, and in which line. It knows
//! nothing of the command line and the environment, which come before the file, or of how
//! settings are used, and it knows no date.

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

/// Which configuration to read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Choice {
    /// The nearest file.
    #[default]
    Nearest,
    File(PathBuf),
    Nothing,
}

/// The content of a file.
#[derive(Default, Debug)]
pub struct Config {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// In the order of [`KEYS`].
    pub settings: Vec<Setting>,
    /// By slug, each with its line.
    pub severities: BTreeMap<&'static str, (Severity, usize)>,
    /// In the order of the file.
    pub ignore: Vec<Entry>,
}

/// The value of an option.
pub struct Setting {
    pub key: &'static Key,
    /// As it would be written on the command line.
    pub value: String,
    /// Its line, counted from 1.
    pub line: usize,
}

/// Does not show a value that may hold a password.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.key.is_secret { "***" } else { &self.value };
        write!(f, "{} = {value:?} in line {}", self.key.name, self.line)
    }
}
