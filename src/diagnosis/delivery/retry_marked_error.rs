use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::SpanStatus;

diagnosis! {
    /// ## What it means
    /// An attempt that is only retried is marked as an error: `self.retry()`
    /// raises, and `start_as_current_span` takes every exception for a failure.
    /// Error rates count tasks that succeed in the end.
    ///
    /// ## What shows it
    /// A hand-made consumer span with the status ERROR of an attempt that was
    /// followed by another, or with an exception `Retry`.
    ///
    /// ## How to fix it
    /// ```python
    /// with tracer.start_as_current_span(name, set_status_on_exception=False, record_exception=False):
    /// ```
    pub static RETRY_MARKED_ERROR = {
        code: "TL710",
        slug: "retry-marked-error",
        station: None,
        severity: Note,
        summary: "an attempt that is only retried is marked as an error",
        check: Remark(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let marked = handoff.consumers.iter().find(|consumer| {
        let detail = consumer.span.detail();
        let is_retry = handoff.was_retried
            || detail.will_retry
            || detail.exceptions.iter().any(|exception| &*exception.kind == "Retry");
        consumer.span.status == SpanStatus::Error && is_retry && !consumer.span.is_instrumented_run()
    });
    let Some(consumer) = marked else { return Verdict::Clean };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::span(*consumer))
        .quote(quote::fact("status", format!("ERROR {}", first_line(&consumer.span.detail().status_message))))
        .fix("tracer.start_as_current_span(name, set_status_on_exception=False, record_exception=False)")
        .into()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
