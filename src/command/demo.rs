//! `tracelink demo`: a sample order, end to end.

use super::Exit;
use crate::demo;

/// A process of the demo: what it says goes to the stage, which started it.
pub fn run_process() -> anyhow::Result<Exit> {
    demo::run_process()?;
    Ok(Exit::Fine)
}
