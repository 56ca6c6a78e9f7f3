use std::time::Duration;

use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
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
    /// A visibility timeout that is longer than the longest task, and than the
    /// latest `eta` or `countdown`: a worker holds such a message all the while. The
    /// same on both sides.
    pub static DUPLICATE_EXECUTION = {
        code: "TL708",
        slug: "duplicate-execution",
        station: None,
        severity: Warning,
        summary: "one message was run twice: it was delivered again before the first run acknowledged it",
        fixes: || celery::longer_visibility(Duration::ZERO).into(),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Judgment {
    // A rejected run is no duplicate: its own task asked for another one.
    let is_run = |span: &StoredSpan| span.is_instrumented_run() && !span.attributes().rejected;
    let mut runs = handoff.consumers.iter().filter(|consumer| is_run(consumer.span));
    let Some(first) = runs.next() else { return Judgment::Clean };
    let Some(again) = runs.find(|run| run.span.attributes().redelivered) else { return Judgment::Clean };
    let sent = handoff.producer.map_or(first.span.start, |producer| producer.span.end);
    let held = first.span.end.since(sent);
    Occurrence::certain()
        .about(handoff)
        .quote(quote::span(*first))
        .quote(quote::span(*again))
        .quote(quote::fact("celery.delivery_info", "'redelivered': True"))
        .mend(celery::longer_visibility(held))
        .into()
}
