use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::key;

diagnosis! {
    /// ## What it means
    /// The task failed by an exception of its own. Its trace may be whole all
    /// the same; this says why a span is red.
    ///
    /// ## What shows it
    /// A result FAILURE, or a run with the state FAILURE and its exception.
    ///
    /// ## How to fix it
    /// That is the application's: the exception is named.
    ///
    /// ## What it is not
    /// A run that raised `Ignore`, `Reject` or `Retry`, which is how a task
    /// tells Celery what to do with it; an exception that a span recorded while
    /// the result says SUCCESS.
    pub static TASK_FAILED = {
        code: "TL711",
        slug: "task-failed",
        station: None,
        severity: Note,
        summary: "the task failed with an exception of its own",
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) {
        let found = Occurrence::certain().about(handoff);
        return by_kind(found, &failure.kind, known).quote(quote::result(result)).into();
    }
    let Some((consumer, exception)) = handoff.failed_run() else { return Judgment::Clean };
    let found = Occurrence::certain().about_run(handoff);
    by_kind(found, &exception.kind, known)
        .quote(quote::span(consumer))
        .quote(quote::fact("exception", format!("{}: {}", exception.kind, exception.message)))
        .into()
}

/// One finding for each kind of exception, up to a limit: the names come from outside, and
/// each may be new.
fn by_kind(found: Occurrence, kind: &str, known: &Known<'_>) -> Occurrence {
    if known.evidence.exception_kinds.contains(kind) {
        found.variant(kind).says_with("the task failed: {exception}", [(key::EXCEPTION, kind)])
    } else {
        found.variant("others").says("the task failed with an exception of its own, of many kinds")
    }
}
