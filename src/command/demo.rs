//! `tracelink demo`: a sample order, end to end.

use super::Exit;
use crate::demo::{self, DemoError};

/// A process of the demo: what it says goes to the stage, which started it, and
/// only what a person did wrong goes to the terminal.
pub fn run_process() -> anyhow::Result<Exit> {
    match demo::run_process() {
        Ok(()) => Ok(Exit::Fine),
        Err(error @ DemoError::NotAlone) => Err(error.into()),
        Err(_) => Ok(Exit::Environment),
    }
}
