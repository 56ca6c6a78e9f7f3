use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::{Handoff, StoredSpan};

diagnosis! {
    /// ## What it means
    /// One message was run twice. The broker delivered it again because the
    /// first worker had not acknowledged it within the visibility timeout (an
    /// hour, unless set), while that worker was still at it.
    ///
    /// ## What shows it
    /// Two runs of one message id and one attempt, the second of which was
    /// `redelivered`. A run that its own task rejected does not count
    /// (`Reject(requeue=True)`).
    ///
    /// ## How to fix it
    /// ```python
    /// app.conf.broker_transport_options = {"visibility_timeout": 4 * 3600}   # longer than the longest task or ETA
    /// ```
    pub static DUPLICATE_EXECUTION = {
        code: "TL708",
        slug: "duplicate-execution",
        station: None,
        severity: Warning,
        summary: "one message was run twice: it was delivered again before the first run acknowledged it",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    // A run that was rejected is no other's double: its task asked for it again.
    let is_run = |span: &StoredSpan| span.is_instrumented_run() && !span.detail().rejected;
    let mut runs = handoff.consumers.iter().filter(|consumer| is_run(consumer.span));
    let Some(first) = runs.next() else { return Verdict::Clean };
    let Some(again) = runs.find(|run| run.span.detail().redelivered) else { return Verdict::Clean };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::span(*first))
        .quote(quote::span(*again))
        .quote(quote::fact("celery.delivery_info", "'redelivered': True"))
        .fix(celery::LONGER_VISIBILITY)
        .into()
}
