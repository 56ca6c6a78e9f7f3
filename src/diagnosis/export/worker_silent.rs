use std::time::Duration;

use crate::diagnosis::advice::{export, extraction};
use crate::diagnosis::parts;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Fate, Handoff, Service};
use crate::model::{Confidence, Severity, Station, TaskStatus};

diagnosis! {
    /// ## What it means
    /// The message was published and a worker took it, and no span of the run
    /// ever came. The context arrived; the worker's spans did not leave it.
    ///
    /// ## What shows it
    /// The message left the queue, or its result is there, and neither a
    /// consumer span of the task nor any other span of a worker came. A message
    /// that no look saw has left its queue all the same where a later look found
    /// the queue bound, and read it to its end.
    ///
    /// ## How to fix it
    /// By what is wrong in the worker:
    ///
    /// - no SDK there: set a `TracerProvider` in `worker_process_init`
    /// - an exporter that points elsewhere: `OTEL_EXPORTER_OTLP_ENDPOINT` (4317
    ///   is gRPC, 4318 is HTTP)
    /// - `worker_process_init` does not fire under threads or gevent: set the
    ///   provider in `worker_init` or at import there
    /// - a sampler of its own: `OTEL_TRACES_SAMPLER=parentbased_always_on`
    /// - spans lost at exit (`max_tasks_per_child`, a quick stop): the batch
    ///   processor holds spans for 5 seconds, so flush:
    ///
    /// ```python
    /// @worker_process_shutdown.connect(weak=False)
    /// def flush(**kwargs):
    ///     trace.get_tracer_provider().shutdown()
    /// ```
    ///
    /// ## What it is not
    /// A task that was revoked, expired or never registered; a message that
    /// still waits; a task that may still run; a run of which parts arrived, below
    /// a span that never ended (`parent-not-ended`). Spans in a trace without a
    /// root, of the time of the run, may be such parts: then this is likely only.
    /// From spans alone it cannot be told whether a worker took the message, so
    /// that there it is a note; and where a consumer span names no message, which
    /// may be the run (a batch, say).
    pub static WORKER_SILENT = {
        code: "TL501",
        slug: "worker-silent",
        station: Some(Station::Export),
        severity: Error,
        summary: "a worker took the message and sent no span of it",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let was_sent = handoff.producer.is_some() || handoff.contexts().next().is_some();
    if !handoff.consumers.is_empty() || !handoff.lookalikes.is_empty() || !was_sent {
        return Verdict::Clean;
    }
    if !known.has_spans() {
        // Nobody sent a span: that says something of the receiver, not of the worker.
        return Verdict::Clean;
    }
    if !handoff.was_consumed() {
        return unseen(handoff, known);
    }
    // What bears no id may be this one's run: a batch, say, or one that made its
    // parent up.
    if !handoff.was_run() && known.stray_run(handoff).is_some() {
        return unseen(handoff, known);
    }
    if parts::arrived(handoff, known) {
        // It sent something: where its own span never ended, that is said of the trace.
        return Verdict::Clean;
    }
    let is_final = handoff.result.is_some_and(|result| result.status.is_final());
    if handoff.result.is_some_and(|result| result.status == TaskStatus::Started)
        || (!is_final && may_be_running(handoff, known))
    {
        return Verdict::Wait;
    }
    let loose = parts::loose(handoff, known);
    let is_certain = handoff.was_run() && loose.is_none();
    let mut found = if is_certain { Occurrence::certain() } else { Occurrence::likely() };
    found = found
        .about(handoff)
        .quote(handoff.producer.map(quote::span))
        .quote(handoff.result.map(quote::result));
    if handoff.fate == Fate::Gone && handoff.result.is_none() {
        found = found
            .quote(quote::fact("broker", taken(handoff)))
            .unless(
                slug::TASK_NOT_REGISTERED,
                "a worker that does not know the task throws its message away, and without a result nothing says so",
            )
            .needs("a result backend, to see that the task ran");
        let service = handoff.producer.map(|producer| producer.span.service());
        if handoff.delivery.is_none()
            && service.is_some_and(|service| !known.sends_of(service).to_a_seen_broker)
        {
            found = found.needs("whether the broker that was looked at is the one that the producer publishes to (broker_url)");
        }
    }
    if let Some(loose) = loose {
        return found
            .variant("parts")
            .says("a worker took the message and no run of it arrived: spans in a trace without a root may be its parts")
            .quote(quote::span(loose))
            .unless(slug::PARENT_NOT_ENDED, "the run may have begun a trace of its own, and its span never ended")
            .needs("the worker's log: was the process killed, or stopped in the middle of the task?")
            .fix(extraction::CONTINUE_IN_THE_TASK)
.fix(export::FLUSH_AT_EXIT)
            .into();
    }
    let ran_others = known
        .services
        .values()
        .flat_map(|service| &service.processes)
        .any(|(_, activity)| activity.consumers > 0);
    if ran_others {
        let has_roots =
            |service: &Service<'_>| service.consumes() && service.total(|activity| activity.work_roots) > 0;
        if known.services.values().any(has_roots) {
            found = Occurrence { confidence: Confidence::Likely, ..found }.unless(
                slug::WORKER_NOT_INSTRUMENTED,
                "the service sends roots without a task too: one worker of several may have an SDK and no instrumentor",
            );
        }
        return found
            .variant("some")
            .says("a worker took the message and sent no span of it, while other runs were seen: spans are lost at exit, or one worker of several is silent")
            .fix(export::EVERY_WORKER_SENDS)
            .into();
    }
    found
        .unless(
            slug::WORKER_NOT_INSTRUMENTED,
            "the worker may have an SDK and neither an instrumentor nor spans of its own",
        )
        .fix(export::WORKER_SENDS_NOTHING)
        .into()
}

/// How it is known that the message was taken.
fn taken(handoff: &Handoff<'_>) -> &'static str {
    if handoff.delivery.is_some() {
        "the message was in the queue, and at a later look it was gone"
    } else {
        "the queue was read to its end after the message was published, and it was not there: a worker had taken it"
    }
}

/// Whether the task may still run, for all that a worker took its message: of
/// its kind results are kept, and there is none of it; or nothing ever tells
/// when a task is done, and it was taken a moment ago.
fn may_be_running(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    /// Most tasks are done after so long.
    const MOST_TASKS: Duration = Duration::from_mins(1);
    if handoff.was_retried || handoff.result.is_some() {
        return false;
    }
    let seen = handoff.delivery.map(|delivery| delivery.last().at);
    let taken = seen.or_else(|| handoff.producer.map(|producer| producer.span.end));
    let patience = if known.is_live { MOST_TASKS } else { known.evidence.patience };
    known.keeps_results_of(handoff.task) || taken.is_some_and(|taken| known.now.since(taken) < patience)
}

/// Spans alone do not show whether the message still waits.
fn unseen(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(producer) = handoff.producer else { return Verdict::Clean };
    if handoff.delivery.is_some() || handoff.result.is_some() {
        return Verdict::Clean;
    }
    let was_looked_at = !known.evidence.brokers.is_empty();
    let needs = if was_looked_at {
        "a look at the broker while the message waits there, or a result backend"
    } else {
        "--broker, or broker snapshots, to see whether a worker took the message"
    };
    Occurrence::possible()
        .about(handoff)
        .variant("unseen")
        .severity(Severity::Note)
        .says("a task was published and no run of it was seen: it may wait, have expired, or have run in a silent worker")
        .quote(quote::span(producer))
        .needs(needs)
        .into()
}
