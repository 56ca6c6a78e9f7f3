use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::SpanStatus;

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
    /// In a span that is made by hand:
    ///
    /// ```python
    /// with tracer.start_as_current_span(name, set_status_on_exception=False, record_exception=False):
    /// ```
    ///
    /// The instrumentor leaves the `run/…` span of a retry as it is; there the
    /// task's own code marks it, and has to let `Retry` pass:
    ///
    /// ```python
    /// except Retry:                            # celery.exceptions.Retry
    ///     raise
    /// except Exception as exc:
    ///     trace.get_current_span().set_status(StatusCode.ERROR)
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
        consumer.span.status == SpanStatus::Error && is_retry
    });
    let Some(consumer) = marked else { return Verdict::Clean };
    let found = Occurrence::certain().about_run(handoff).quote(quote::span(*consumer)).quote(quote::fact(
        "status",
        format!("ERROR {}", first_line(&consumer.span.detail().status_message)),
    ));
    if consumer.span.is_instrumented_run() {
        return found
            .variant("run")
            .says("an attempt that is only retried is marked as an error, by the task's own code: the instrumentor does not mark it")
            .fix(celery::LET_RETRY_PASS)
            .into();
    }
    found.fix(celery::RETRY_IS_NO_ERROR).into()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
