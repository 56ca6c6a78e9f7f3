//! Ctrl-C, for commands that wait for others' answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use super::Exit;

/// Whether Ctrl-C was pressed. The first one is for the command to heed; the second one ends
/// at once, for a user who waits for an answer that does not come.
///
/// # Errors
///
/// That the system does not let the process listen for it.
pub(super) fn interruption() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // The second is checked before the first is noted.
    flag::register_conditional_shutdown(SIGINT, Exit::Interrupted.code().into(), Arc::clone(&interrupted))
        .and_then(|_| flag::register(SIGINT, Arc::clone(&interrupted)))
        .context("cannot listen for Ctrl-C")?;
    Ok(interrupted)
}
