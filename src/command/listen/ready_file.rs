//! `--ready-file`: tells a script that the ports are open, and which they are.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::open_ports::OpenPorts;
use crate::cli::Destination;
use crate::command::place::Place;

/// Removes what an earlier run left, so that a script waits for this run.
///
/// # Errors
///
/// There is a file that cannot be removed.
pub fn begin(path: &Path) -> anyhow::Result<()> {
    // A pipe or a device stays: it is only written to.
    if !fs::metadata(path).is_ok_and(|at| at.is_file()) {
        return Ok(());
    }
    fs::remove_file(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the file in one step.
///
/// # Errors
///
/// What the place says.
pub fn write(path: &Path, ports: &OpenPorts) -> anyhow::Result<()> {
    Place::open(&Destination::File(path.to_owned()), false)?.write(|out| {
        serde_json::to_writer(&mut *out, ports)?;
        writeln!(out)
    })
}
