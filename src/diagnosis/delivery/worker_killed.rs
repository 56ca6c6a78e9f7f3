use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;

diagnosis! {
    /// ## What it means
    /// The worker's process died in the middle of the task: killed by the
    /// kernel for its memory, by a deploy, by a crash in native code, or by Celery
    /// at the task's hard time limit. Spans that had not ended died with it.
    ///
    /// ## What shows it
    /// A result FAILURE with `WorkerLostError` or `TimeLimitExceeded`, and no span of
    /// the run.
    ///
    /// ## How to fix it
    /// Look for the OOM killer in the kernel's log; give the worker more memory
    /// or fewer tasks a child (`--max-tasks-per-child`, `--max-memory-per-child`). At a
    /// soft time limit, below the hard one, the task ends by an exception, and so do its
    /// spans.
    pub static WORKER_KILLED = {
        code: "TL705",
        slug: "worker-killed",
        station: None,
        severity: Error,
        summary: "the worker's process died in the middle of the task, and its spans with it",
        fixes: || celery::keep_it_alive().into_iter().chain(celery::end_before_the_limit()).collect(),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let Some(result) = handoff.result.filter(|_| handoff.was_killed() && handoff.consumers.is_empty()) else {
        return Judgment::Clean;
    };
    let found = Occurrence::certain().about(handoff).quote(quote::result(result));
    if handoff.ran_into_its_limit() {
        return found
            .variant("time-limit")
            .says("the task ran into its hard time limit: the worker's process was killed in the middle of it, and its spans with it")
            .mend(celery::end_before_the_limit())
            .into();
    }
    found.mend(celery::keep_it_alive()).into()
}
