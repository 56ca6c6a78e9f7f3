//! Finds the configuration file and reads it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::Error;
use super::read::parse;
use super::{Choice, Config};

/// tracelink's own file.
const OWN: &str = "tracelink.toml";
/// A Python project's file, which may have a table for tracelink.
const PYPROJECT: &str = "pyproject.toml";
/// The most bytes of a configuration file.
const MOST: u64 = 1 << 20;

impl Config {
    /// Reads the configuration that `choice` names. The nearest file is searched upwards
    /// from the folder where tracelink was started. In each folder `tracelink.toml` comes
    /// before `pyproject.toml`, which is skipped if it has no table for tracelink.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, or why it cannot be read.
    pub fn load(choice: &Choice) -> Result<Self, Error> {
        let unreadable = |error| Error::Unreadable { path: ".".to_owned(), error };
        let here = std::path::absolute(".").map_err(unreadable)?;
        match choice {
            Choice::Nothing => Ok(Self::default()),
            Choice::File(path) => {
                let shown = path.display().to_string();
                let text = read(path, &shown)?;
                let is_pyproject = path.file_name().is_some_and(|name| name == PYPROJECT);
                let config = parse(&text, &shown, is_pyproject)?;
                let config = config.ok_or(Error::NoTable { path: shown })?;
                Ok(Self { file: Some(path.clone()), ..config })
            }
            Choice::Nearest => Self::nearest(&here),
        }
    }

    /// The configuration of the nearest file, searched upwards from a folder.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn nearest(here: &Path) -> Result<Self, Error> {
        for folder in here.ancestors() {
            for name in [OWN, PYPROJECT] {
                let path = folder.join(name);
                if !path.is_file() {
                    continue;
                }
                // Relative to the user's folder, as the user would name it.
                let shown = path.strip_prefix(here).unwrap_or(&path).display().to_string();
                let text = read(&path, &shown)?;
                let is_pyproject = name == PYPROJECT;
                // A broken file that does not mention tracelink is not an error here.
                if is_pyproject && !text.contains("tracelink") {
                    continue;
                }
                if let Some(config) = parse(&text, &shown, is_pyproject)? {
                    return Ok(Self { file: Some(PathBuf::from(shown)), ..config });
                }
            }
        }
        Ok(Self::default())
    }
}

/// The text of a file.
fn read(path: &Path, shown: &str) -> Result<String, Error> {
    let unreadable = |error: io::Error| Error::Unreadable { path: shown.to_owned(), error };
    let mut bytes = Vec::new();
    File::open(path).map_err(unreadable)?.take(MOST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST {
        return Err(Error::TooLong { path: shown.to_owned(), most: MOST });
    }
    String::from_utf8(bytes).map_err(|_| Error::NotText { path: shown.to_owned() })
}
