use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;

diagnosis! {
    /// ## What it means
    /// The worker's process died in the middle of the task: killed by the
    /// kernel for its memory, by a deploy, by a crash in native code. Spans
    /// that had not ended died with it.
    ///
    /// ## What shows it
    /// A result FAILURE with `WorkerLostError`, and no span of the run.
    ///
    /// ## How to fix it
    /// Look for the OOM killer in the kernel's log; give the worker more memory
    /// or fewer tasks a child (`--max-tasks-per-child`, `--max-memory-per-child`).
    pub static WORKER_KILLED = {
        code: "TL705",
        slug: "worker-killed",
        station: None,
        severity: Error,
        summary: "the worker's process died in the middle of the task, and its spans with it",
        fixes: celery::keep_it_alive,
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let Some(result) = handoff.result.filter(|_| handoff.was_killed() && handoff.consumers.is_empty()) else {
        return Judgment::Clean;
    };
    Occurrence::certain().about(handoff).quote(quote::result(result)).mend(celery::keep_it_alive()).into()
}
