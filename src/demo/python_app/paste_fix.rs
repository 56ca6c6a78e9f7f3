//! Pastes a fix into the programs of an entry: `paste.py` puts its lines where they belong,
//! and `install.py` installs its packages.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::assets;
use super::environment::Environment;
use super::manifest::Entry;
use super::process::SharedReaper;
use super::programs::{Programs, python, run_to_its_end};
use crate::demo::error::DemoError;
use crate::model::Fix;

const PASTER: &str = "paste.py";
const INSTALLER: &str = "install.py";
/// How `paste.py` reports what cannot be pasted.
const REFUSAL: &str = "not pasteable: ";

/// What processes get in addition to their changed programs, by their names.
#[derive(Deserialize, Default, Debug)]
pub struct FixExtras {
    environment: BTreeMap<String, BTreeMap<String, String>>,
    arguments: BTreeMap<String, Vec<String>>,
    /// By language.
    installs: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl FixExtras {
    /// The variables of a process.
    pub fn environment(&self, process: &str) -> impl Iterator<Item = (&String, &String)> {
        self.environment.get(process).into_iter().flatten()
    }

    /// What is added to the command line of a process.
    pub fn arguments(&self, process: &str) -> &[String] {
        self.arguments.get(process).map_or(&[], Vec::as_slice)
    }
}

/// Pastes a fix into the programs.
///
/// # Errors
///
/// [`DemoError::NotPasteable`] if it leaves something for its reader to do; also if a
/// package is not available.
pub fn paste(
    fix: &Fix,
    entry: &Entry,
    programs: &Programs,
    environment: &Environment,
    reaper: &SharedReaper,
) -> Result<FixExtras, DemoError> {
    let file = reaper.borrow().folder().join("fix.json");
    fs::write(&file, serde_json::to_vec(fix).expect("it is text"))?;
    let mut command = python(environment);
    command.arg(PASTER).arg(&file).arg(programs.folder()).current_dir(environment.app());
    for name in entry.processes.keys() {
        let sides = entry.sides_of(name).iter().map(|side| side.name());
        command.arg(format!("{name}={}", sides.collect::<Vec<_>>().join(",")));
    }
    let said = run_to_its_end(command, PASTER, reaper).map_err(|error| match error {
        DemoError::Python { why, .. } if why.starts_with(REFUSAL) => {
            DemoError::NotPasteable { why: why[REFUSAL.len()..].to_owned() }
        }
        other => other,
    })?;
    let told = serde_json::from_str::<FixExtras>(&said);
    let mut extras =
        told.map_err(|why| DemoError::Python { who: PASTER.to_owned(), why: why.to_string() })?;
    for (process, packages) in &extras.installs {
        let missing = packages.get("python").into_iter().flatten().filter(|package| !assets::locks(package));
        let missing: Vec<_> = missing.map(String::as_str).collect();
        if missing.is_empty() {
            continue;
        }
        let folder = environment.folder().join("fixes").join(missing.join("+"));
        install(&folder, &missing, environment, reaper)?;
        let path = folder.to_string_lossy().into_owned();
        extras.environment.entry(process.clone()).or_default().insert("PYTHONPATH".to_owned(), path);
    }
    Ok(extras)
}

fn install(
    folder: &Path,
    packages: &[&str],
    environment: &Environment,
    reaper: &SharedReaper,
) -> Result<(), DemoError> {
    let mut command = python(environment);
    command.arg(INSTALLER).arg(folder).args(packages).current_dir(environment.app());
    run_to_its_end(command, INSTALLER, reaper).map(drop)
}
