use crate::diagnosis::advice::{instrumentation, tracelink};
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Continuity, Handoff, OtlpProtocol, SpanRef};
use crate::model::{Severity, Station};

diagnosis! {
    /// ## What it means
    /// A consumer span began a trace of its own, and the evidence at hand does
    /// not say why: the context was never sent, or sent in a form that the
    /// worker does not read.
    ///
    /// ## What shows it
    /// A CONSUMER span without a parent and without a link, of which neither
    /// the message nor the producer was seen.
    ///
    /// ## How to fix it
    /// Show tracelink the other half, and it will say which it is:
    /// watch the broker too, or look into its queues (`tracelink inspect-queue`).
    ///
    /// ## What it is not
    /// A task of beat, a task that was called directly, a run that links to its
    /// producer. Before Celery 5.7 a message of beat does not say that it is one:
    /// a task that runs at even intervals, and that nobody else hands over, is a
    /// note.
    pub static ORPHANED_CONSUMER = {
        code: "TL000",
        slug: "orphaned-consumer",
        station: Some(Station::Extract),
        severity: Error,
        summary: "a consumer span began a trace of its own, and the evidence at hand does not say why",
        fixes: || {
            vec![
                tracelink::watch_the_broker(),
                tracelink::hear_every_message(),
                instrumentation::scheduler(OtlpProtocol::Grpc),
            ]
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let orphan = match handoff.continuity() {
        Some(Continuity::Orphaned) => handoff.consumer(),
        Some(_) => None,
        None => handoff.candidate_runs.first().copied(),
    };
    let Some(orphan) = orphan else { return Judgment::Clean };
    // Nobody published it for a request: beat has no trace to continue.
    let is_beats = match handoff.message() {
        Some(message) => message.from_beat,
        None => {
            orphan.span.attributes().celery_hostname.as_deref().is_some_and(|by| known.origins().is_beat(by))
        }
    };
    if is_beats {
        return Judgment::Clean;
    }
    if known.schedules().includes(handoff) {
        return scheduled(orphan, known).about(handoff).into();
    }
    of_span(orphan, known).about(handoff).into()
}

/// For a task whose every run is a root, at even intervals.
fn scheduled(orphan: SpanRef<'_>, known: &Known<'_>) -> Occurrence {
    Occurrence::possible()
        .variant("scheduled")
        .severity(Severity::Note)
        .says("a task runs at even intervals and begins a trace of its own each time: a scheduler that is not instrumented has no context to send")
        .quote(quote::span(orphan))
        .unless(slug::PRODUCER_NOT_INSTRUMENTED, "a process that publishes at even intervals looks the same")
        .needs("what publishes the task: before Celery 5.7 a message from beat does not say that it is one")
        .mend([instrumentation::scheduler(known.evidence.receiver().protocol())])
}

/// For a consumer root about which nothing else is known.
pub fn of_span(orphan: SpanRef<'_>, known: &Known<'_>) -> Occurrence {
    let mut occurrence = Occurrence::possible().service(orphan.span.service()).quote(quote::span(orphan));
    if let Some(attempt) = orphan.span.attributes().retries.filter(|attempt| *attempt > 0) {
        occurrence = occurrence
            .variant("retry")
            .says("a consumer span of a retry began a trace of its own, and the evidence at hand does not say why")
            .quote(quote::fact("retries", attempt.to_string()))
            .unless(slug::CONTEXT_LOST_ON_RETRY, "Celery before 5.3 drops custom headers on self.retry()");
    }
    occurrence = occurrence
        .unless(slug::PRODUCER_NOT_INSTRUMENTED, "the message may carry no context")
        .unless(slug::PROPAGATOR_MISMATCH, "it may carry one that the worker does not read")
        .needs(tracelink::to_see_the_message(known))
        .needs("the producer's spans")
        .mend([if known.evidence.brokers.is_empty() {
            tracelink::watch_the_broker()
        } else {
            tracelink::hear_every_message()
        }]);
    occurrence.tasks.extend(orphan.span.attributes().task.as_deref().map(str::to_owned));
    occurrence
}
