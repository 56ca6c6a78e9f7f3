use crate::diagnosis::advice::celery;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{SpanKind, SpanStatus};

diagnosis! {
    /// ## What it means
    /// An attempt that is only retried is marked as an error: `self.retry()`
    /// raises, and `start_as_current_span` takes every exception for a failure.
    /// Error rates count tasks that succeed in the end.
    ///
    /// ## What shows it
    /// A consumer span with the status ERROR of an attempt that was followed by
    /// another, or with an exception `Retry`.
    ///
    /// ## How to fix it
    /// The instrumentor leaves the `run/…` span of a retry as it is; there the
    /// task's own code marks it, and has to let `Retry` pass. Where that code cannot
    /// be changed, the worker marks the run of a retry as OK, which is final. A span
    /// that is made by hand marks what is raised itself, a retry too, unless it is
    /// told not to.
    pub static RETRY_MARKED_ERROR = {
        code: "TL710",
        slug: "retry-marked-error",
        station: None,
        severity: Note,
        summary: "an attempt that is only retried is marked as an error",
        fixes: || {
            let by_code = SdkSetup::default();
            let by_hand = celery::retry_is_no_error("process_order", SpanKind::Consumer, &by_code);
            celery::retry_is_ok(&by_code).into_iter().chain(by_hand).collect()
        },
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    let marked = handoff.consumers.iter().find(|consumer| {
        let detail = consumer.span.attributes();
        let is_retry = handoff.was_retried
            || detail.will_retry
            || consumer.span.exceptions().iter().any(|exception| &*exception.kind == "Retry");
        consumer.span.status == SpanStatus::Error && is_retry
    });
    let Some(consumer) = marked else { return Judgment::Clean };
    let found = Occurrence::certain()
        .about_run(handoff)
        .quote(quote::span(*consumer))
        .quote(quote::fact("status", format!("ERROR {}", first_line(consumer.span.status_message()))));
    if consumer.span.is_instrumented_run() {
        return found
            .variant("run")
            .says("an attempt that is only retried is marked as an error, by the task's own code: the instrumentor does not mark it")
            .mend(celery::retry_is_ok(&SdkSetup::of(&consumer.span.process)))
            .into();
    }
    let span = consumer.span;
    found.mend(celery::retry_is_no_error(&span.name, span.kind, &SdkSetup::of(&span.process))).into()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
