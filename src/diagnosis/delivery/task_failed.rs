use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;

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
        summary: "the task failed by an exception of its own",
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    if let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) {
        return Occurrence::certain()
            .about(handoff)
            .variant(&*failure.kind)
            .says(sentence(&failure.kind))
            .quote(quote::result(result))
            .into();
    }
    let Some((consumer, exception)) = handoff.failed_run() else { return Verdict::Clean };
    Occurrence::certain()
        .about_run(handoff)
        .variant(&*exception.kind)
        .says(sentence(&exception.kind))
        .quote(quote::span(consumer))
        .quote(quote::fact("exception", format!("{}: {}", exception.kind, exception.message)))
        .into()
}

fn sentence(exception: &str) -> String {
    format!("the task failed: {exception}")
}
