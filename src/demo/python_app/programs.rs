//! The programs of an entry, healthy or broken: `variant.py` writes a copy of the
//! application for each of its processes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::environment::Environment;
use super::manifest::Entry;
use super::process::{Process, SharedReaper};
use crate::demo::error::DemoError;

/// The script that writes them, next to the application's files.
const WRITER: &str = "variant.py";
/// Variables of the user's shell that would change the result, by their prefixes.
const FOREIGN: [&str; 5] = ["OTEL_", "PYTHON", "CELERY_", "UVICORN_", "TRACELINK_"];

/// A folder for each process. The reaper removes them.
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// The folder that holds those of all processes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of that process.
    pub fn of(&self, process: &str) -> PathBuf {
        self.folder.join(process)
    }
}

/// Programs that are being written.
pub struct Writing {
    process: Process,
    programs: Programs,
}

/// Begins to write the programs of an entry.
///
/// # Errors
///
/// Where Python does not start.
pub fn begin(entry: &Entry, environment: &Environment, reaper: &SharedReaper) -> Result<Writing, DemoError> {
    let programs = Programs { folder: reaper.borrow().folder().join("programs") };
    let mut command = python(environment);
    command.arg(WRITER).arg(&entry.slug).arg(&programs.folder).current_dir(environment.app());
    Ok(Writing { process: Process::start(command, reaper, |_| {})?, programs })
}

impl Writing {
    /// Waits until they are written.
    ///
    /// # Errors
    ///
    /// Where they cannot be, with the reason.
    pub fn end(self) -> Result<Programs, DemoError> {
        last_words(&self.process, WRITER)?;
        Ok(self.programs)
    }
}

/// Runs one of the application's own scripts, and returns its output.
///
/// # Errors
///
/// Where it does not start, or ends with an error: what it says of that.
pub fn run_to_its_end(command: Command, script: &str, reaper: &SharedReaper) -> Result<String, DemoError> {
    last_words(&Process::start(command, reaper, |_| {})?, script)
}

fn last_words(process: &Process, script: &str) -> Result<String, DemoError> {
    let ended = loop {
        if let Some(ended) = process.ended()? {
            break ended;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let said = process.last_words();
    if ended.code == Some(0) {
        Ok(said)
    } else {
        Err(DemoError::Python { who: script.to_owned(), why: said })
    }
}

/// The environment's Python, without what the user's shell would change.
pub fn python(environment: &Environment) -> Command {
    let mut command = Command::new(environment.python());
    let foreign = |name: &str| FOREIGN.iter().any(|beginning| name.starts_with(beginning));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(foreign)) {
        command.env_remove(name);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
