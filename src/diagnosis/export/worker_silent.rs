use std::time::Duration;

use super::endpoint;
use crate::diagnosis::advice::export::{self, ExportTarget};
use crate::diagnosis::advice::{processor, sampling, silence};
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::partial_run;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Activity, Handoff, OtlpProtocol, Outcome, Presence, Process, Service};
use crate::model::{CarriedContext, Confidence, ContextFormat, Fix, Sampling, Severity, Side, Station};

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
    /// - no SDK there, or one that is set up in `worker_process_init`, which threads
    ///   and greenlets do not send: the whole set-up, for whichever pool
    /// - spans lost at exit (`max_tasks_per_child`, a quick stop): the batch
    ///   processor holds spans for 5 seconds, and `worker_process_shutdown` is the
    ///   place to flush. `force_flush` in `task_postrun` is none: the run's own span
    ///   has not ended there
    /// - an exporter that points elsewhere (4317 is gRPC, 4318 is HTTP), or that was
    ///   made before the pool forked
    /// - a sampler of its own
    /// - a parent that it makes of ids alone, without the flag of a sampled one
    ///   (`TraceFlags`): then a parent-based sampler keeps nothing below it
    ///
    /// Where the receiver refused requests at a wrong door, they are the worker's,
    /// most likely, and the fix is that of their mistake. Where a worker sent other
    /// runs, its set-up is right, and what is missing was lost at exit. So it is where
    /// its main process sends the calls by which it takes messages, and nothing comes
    /// of the process that stored the result. Where a process was killed under another
    /// task right after this one (`worker-killed`), nothing is sent at exit: spans have to
    /// leave sooner.
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
        fixes: || {
            let (receiver, by_code) = (ExportTarget::UNSEEN, SdkSetup::default());
            let launched = SdkSetup { is_zero_code: Some(true), ..SdkSetup::default() };
            let silent = silence::no_worker_sends(receiver, &by_code, &launched);
            let others = [processor::flush_at_exit(), sampling::sampled_parent(&by_code)];
            silent.into_iter().chain(others).chain(processor::sooner(receiver, &by_code)).collect()
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let was_sent = handoff.producer.is_some() || handoff.contexts().next().is_some();
    if !handoff.consumers.is_empty() || !handoff.candidate_runs.is_empty() || !was_sent {
        return Judgment::Clean;
    }
    if !known.has_spans() {
        // Nobody sent a span: that is about the receiver, not the worker.
        return Judgment::Clean;
    }
    if !handoff.was_consumed() {
        return unseen(handoff, known);
    }
    // A run without an id may be this one's: a batch, say, or one with a made-up parent.
    if !handoff.was_run() && known.unclaimed_consumers().of_handoff(handoff).is_some() {
        return unseen(handoff, known);
    }
    if partial_run::arrived(handoff, known) {
        // It sent something. If its own span never ended, a diagnosis of the trace says so.
        return Judgment::Clean;
    }
    if partial_run::may_go_on(handoff, known) {
        return Judgment::Wait;
    }
    let loose = partial_run::loose(handoff, known);
    let is_certain = handoff.was_run() && loose.is_none();
    let mut found = if is_certain { Occurrence::certain() } else { Occurrence::likely() };
    found = found
        .about(handoff)
        .quote(handoff.producer.map(quote::span))
        .quote(handoff.result.map(quote::result));
    if handoff.presence == Presence::Gone && handoff.result.is_none() {
        found = found
            .quote(quote::fact("broker", taken(handoff)))
            .unless(
                slug::TASK_NOT_REGISTERED,
                "a worker that does not know the task throws its message away, and without a result nothing says so",
            )
            .needs("a result backend, to see that the task ran");
        let service = handoff.producer.map(|producer| producer.span.service());
        if handoff.delivery.is_none()
            && service.is_some_and(|service| !known.flow().sends_of(service).to_a_seen_broker)
        {
            found = found.needs("whether the broker that was looked at is the one that the producer publishes to (broker_url)");
        }
    }
    if let Some(loose) = loose {
        return found
            .variant("parts")
            .says("a worker took the message and no run of it arrived: spans in a trace without a root may be parts of it")
            .quote(quote::span(loose))
            .unless(slug::PARENT_NOT_ENDED, "the run may have begun a trace of its own, and its span never ended")
            .needs("the worker's log: was the process killed, or stopped in the middle of the task?")
            .mend(processor::ended(Some(handoff.task), true, &SdkSetup::of(&loose.span.process)))
            .into();
    }
    let is_unflagged = names_ids_alone(handoff);
    if is_unflagged {
        found = found.unless(
            slug::NOT_SAMPLED,
            "the message says nothing about sampling: a parent that is made of its ids without the flag is not sampled, and a parent-based worker sends nothing below it",
        );
    }
    let done =
        handoff.result.filter(|result| !result.is_of_a_killed_process()).and_then(|result| result.done);
    if done.is_some_and(|done| known.flow().kills_within(done, HELD)) {
        return killed_soon_after(found, known).into();
    }
    if let Some((name, service)) = known.services().silent_pool(handoff) {
        return silent_pool(found, name, service, known).into();
    }
    let ran_others = known
        .services()
        .values()
        .flat_map(|service| &service.processes)
        .any(|(_, activity)| activity.consumers > 0);
    if ran_others {
        let has_roots =
            |service: &Service<'_>| service.consumes() && service.total(|activity| activity.work_roots) > 0;
        if known.services().values().any(has_roots) {
            found = Occurrence { confidence: Confidence::Likely, ..found }.unless(
                slug::WORKER_NOT_INSTRUMENTED,
                "the service sends roots without a task too: one worker of several may have an SDK and no instrumentor",
            );
        }
        return some(found, handoff, known).into();
    }
    let mut found = found.unless(
        slug::WORKER_NOT_INSTRUMENTED,
        "the worker may have an SDK, but no instrumentor and no spans of its own",
    );
    if !is_unflagged {
        found = found.unless(
            slug::NOT_SAMPLED,
            "a sampler of the worker's own may keep nothing, whatever the message says of sampling",
        );
    }
    let receiver = endpoint::receiver(known);
    let publisher = SdkSetup::of_producer(handoff);
    let (outcome, misdirected) = misdirected(known, &publisher);
    if let Some(outcome) = outcome {
        return Occurrence { confidence: Confidence::Likely, ..found }
            .variant("misdirected")
            .says("a worker took the message and sent no span of it, and the receiver refused requests at a wrong port or path: most likely the worker's spans")
            .quote(quote::fact("receiver", outcome.label()))
            .mend(misdirected)
            .into();
    }
    let worker = known.services().workers_setting().beside(&publisher);
    found
        .mend(is_unflagged.then(|| sampling::sampled_parent(&worker)))
        .mend(silence::no_worker_sends(receiver, &worker, &publisher))
        .into()
}

/// For how long a batch processor holds a span, with time for Celery to see that a process is
/// gone, and to write that down.
const HELD: Duration = Duration::from_secs(8);

/// If a child of a pool was killed right after the task was done.
fn killed_soon_after(found: Occurrence, known: &Known<'_>) -> Occurrence {
    Occurrence { confidence: Confidence::Likely, ..found }
        .variant("killed")
        .says("a worker took the message and sent no span of it, and right after the task was done a process was killed under another task: most likely the same one, with the spans that it held")
        .mend(processor::sooner(endpoint::receiver(known), &known.services().workers_setting()))
}

/// If the main process of the worker sends its calls to the broker: the children of its
/// pool have what it has, and still send nothing.
fn silent_pool(found: Occurrence, name: &str, service: &Service<'_>, known: &Known<'_>) -> Occurrence {
    let calls = service.total(|activity| activity.taken);
    let setting = SdkSetup::of_all(service.processes.iter().map(|(process, _)| *process));
    Occurrence { confidence: Confidence::Likely, ..found }
        .variant("pool")
        .says("a worker took the message and sent no span of it, while its main process sends its calls to the broker: most likely each child of its pool ended and lost the spans that it held")
        .service(name)
        .quote(quote::fact(
            format!("spans of {name}"),
            format!("{calls} calls by which a worker takes messages, none that stores a result"),
        ))
        .mend([processor::flush_at_exit()])
        .mend(silence::one_worker_is_silent(endpoint::receiver(known), &setting))
}

/// Whether the context of the message is a trace id and a span id under names of the
/// application's own, without flags.
fn names_ids_alone(handoff: &Handoff<'_>) -> bool {
    let is_unflagged = |found: &CarriedContext| {
        found.format == ContextFormat::Ids
            && found.context().is_some_and(|context| context.sampling == Sampling::Deferred)
    };
    let contexts = handoff.message().map_or(&[][..], |message| &message.contexts);
    !contexts.is_empty() && contexts.iter().all(is_unflagged)
}

/// Requests that the receiver refused, and how to fix that in the worker.
fn misdirected(known: &Known<'_>, publisher: &SdkSetup) -> (Option<Outcome>, Vec<Fix>) {
    let receiver = endpoint::receiver(known);
    let doors = [
        Outcome::GrpcOnHttpPort,
        Outcome::HttpOnGrpcPort,
        Outcome::WithoutPath,
        Outcome::OtherPath,
        Outcome::TlsOnPlainPort,
    ];
    let refused =
        doors.into_iter().find_map(|outcome| Some((outcome, known.evidence.receiver().of(outcome)?)));
    let Some((outcome, requests)) = refused else { return (None, Vec::new()) };
    let sender = SdkSetup::of_client(requests.agents.iter().map(|agent| &**agent)).beside(publisher);
    let worker = [(Side::Worker, sender)];
    let fixes = match outcome {
        Outcome::GrpcOnHttpPort => export::grpc_port(receiver, &worker),
        Outcome::HttpOnGrpcPort => export::http_port(receiver, &worker),
        Outcome::WithoutPath | Outcome::OtherPath => export::traces_path(receiver, &worker),
        _ => export::without_tls(receiver, &[OtlpProtocol::Grpc, OtlpProtocol::Http], &worker),
    };
    (Some(outcome), fixes)
}

/// If other runs were seen: judged by what this task's worker sent.
fn some(found: Occurrence, handoff: &Handoff<'_>, known: &Known<'_>) -> Occurrence {
    let runs = || {
        let processes = known.services().processes();
        processes.filter(|(_, activity)| activity.consumers > 0)
    };
    let worker = handoff.result.and_then(|result| result.worker.as_deref());
    let setting = known.services().workers_setting();
    if worker.is_some_and(|worker| known.flow().is_heard(worker)) {
        return found
            .variant("children")
            .says("a worker took the message and sent no span of it, while it sent other runs: most likely a child of its pool ended and lost the spans that it held")
            .quote(worker.map(|worker| quote::fact("result.worker", worker)))
            .mend([processor::flush_at_exit()]);
    }
    if let Some(worker) = worker {
        return found
            .variant("one-worker")
            .says("a worker took the message and sent no span of it, and nothing else either, while other workers sent their runs")
            .quote(quote::fact("result.worker", worker))
            .mend(silence::one_worker_is_silent(endpoint::receiver(known), &setting));
    }
    if are_children(runs()) || is_after_all(handoff, runs()) {
        return found
            .variant("children")
            .says("a worker took the message and sent no span of it, while it sent other runs: most likely a child of its pool ended and lost the spans that it held")
            .mend([processor::flush_at_exit()])
            .mend(silence::one_worker_is_silent(endpoint::receiver(known), &setting));
    }
    found
        .variant("some")
        .says("a worker took the message and sent no span of it, while other runs were seen: spans are lost at exit, or one worker of several is silent")
        .mend(silence::one_worker_is_silent(endpoint::receiver(known), &setting))
        .mend([processor::flush_at_exit()])
}

/// Whether runs came from several processes of one service on one machine, as from a pool.
fn are_children<'e>(mut runs: impl Iterator<Item = (&'e Process, &'e Activity)>) -> bool {
    let Some((first, _)) = runs.next() else { return false };
    let is_beside = |other: &Process| other.service == first.service && other.host == first.host;
    first.is_identified() && runs.any(|(other, _)| is_beside(other) && other.differs_from(first))
}

/// Whether the task was done after the last span of every worker: then spans that were
/// still held at the end were lost.
fn is_after_all<'e>(handoff: &Handoff<'_>, runs: impl Iterator<Item = (&'e Process, &'e Activity)>) -> bool {
    let last = runs.map(|(_, activity)| activity.last_end).max();
    let done = handoff.result.and_then(|result| result.done);
    done.zip(last).is_some_and(|(done, last)| done > last)
}

/// How it is known that the message was taken.
fn taken(handoff: &Handoff<'_>) -> &'static str {
    if handoff.delivery.is_some() {
        "the message was in the queue, and at a later look it was gone"
    } else {
        "the queue was read to its end after the message was published, and it was not there: a worker had taken it"
    }
}

/// Spans alone do not show whether the message still waits.
fn unseen(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(producer) = handoff.producer else { return Judgment::Clean };
    if handoff.delivery.is_some() || handoff.result.is_some() {
        return Judgment::Clean;
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
