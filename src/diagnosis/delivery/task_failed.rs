use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::SpanStatus;

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
    let found = Occurrence::certain().about(handoff);
    if let (Some(failure), Some(result)) = (handoff.failure(), handoff.result) {
        return found
            .variant(&*failure.kind)
            .says(sentence(&failure.kind))
            .quote(quote::result(result))
            .into();
    }
    let failed = handoff.consumers.iter().find(|consumer| {
        consumer.span.status == SpanStatus::Error
            && !handoff.was_retried
            && !consumer.span.detail().will_retry
    });
    let Some(consumer) = failed else { return Verdict::Clean };
    let detail = consumer.span.detail();
    match detail.exceptions.first().filter(|exception| &*exception.kind != "Retry") {
        Some(exception) => found
            .variant(&*exception.kind)
            .says(sentence(&exception.kind))
            .quote(quote::span(*consumer))
            .quote(quote::fact("exception", format!("{}: {}", exception.kind, exception.message)))
            .into(),
        None => Verdict::Clean,
    }
}

fn sentence(exception: &str) -> String {
    format!("the task failed: {exception}")
}
