use crate::diagnosis::advice::instrumentation;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::partial_run;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Activity, Handoff, Service};
use crate::model::{Severity, Station};

diagnosis! {
    /// ## What it means
    /// The worker traces its own work, and nothing in it speaks to Celery: no
    /// consumer span is made, the context in the message is not read, and the
    /// spans inside the task are roots, each a trace of its own.
    ///
    /// ## What shows it
    /// A task that was handed over, no consumer span of it, and INTERNAL or
    /// CLIENT roots from a service that neither serves nor publishes; or, where
    /// the SDK tells processes apart, from such a process of a service whose
    /// others serve, publish or run tasks. A root with a link is a root. Calls by which a
    /// worker notes in Redis which messages it holds (`ZADD HSET`, `ZREM HDEL`) show the
    /// same of its main process, unless Redis holds a result of the task and no call that
    /// stores one (`SETEX PUBLISH`) came: then the children of its pool send nothing
    /// (`worker-silent`). Where nothing shows that a worker took the message it is
    /// a hint, and only where all of these roots began after the first task was
    /// published: what works without tasks runs none.
    ///
    /// ## How to fix it
    /// The SDK is there, and Celery's instrumentor is not: instrument Celery in the
    /// worker. A launcher does so by itself where the package is installed.
    pub static WORKER_NOT_INSTRUMENTED = {
        code: "TL305",
        slug: "worker-not-instrumented",
        station: Some(Station::Extract),
        severity: Error,
        summary: "the worker sends spans of its own and none for the task: nothing in it reads Celery's messages",
        fixes: || instrumentation::worker(&SdkSetup::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let was_sent = handoff.producer.is_some() || handoff.contexts().next().is_some();
    // With spans alone, it may just as well wait. If other workers are instrumented, roots
    // of a service that runs no task are more likely an independent job's.
    let others_run = known.services().values().any(Service::consumes);
    let may_have_run = handoff.was_run()
        || (handoff.message().is_none() && handoff.producer.is_some() && !others_run)
        || handoff.was_consumed();
    if !handoff.consumers.is_empty() || !handoff.candidate_runs.is_empty() || !was_sent || !may_have_run {
        return Judgment::Clean;
    }
    // A span that continues the context, or is below a lost span, is the run.
    if partial_run::arrived(handoff, known) {
        return Judgment::Clean;
    }
    let sent = handoff.producer.map(|producer| producer.span.start).unwrap_or_default();
    let was_taken = handoff.was_run() || handoff.was_consumed();
    let first = known.flow().first_published().filter(|_| !was_taken).unwrap_or_default();
    let is_at_work = |activity: &Activity| activity.work_roots > 0 && activity.last_work_root >= sent;
    let is_after = |activity: &Activity| activity.first_work_root.is_some_and(|root| root >= first);
    let is_worker = |service: &Service<'_>| {
        let mut workers =
            service.processes.iter().map(|(_, activity)| activity).filter(|activity| activity.work_roots > 0);
        workers.clone().any(|activity| is_at_work(activity)) && workers.all(|activity| is_after(activity))
    };
    let worker = known.services().uninstrumented_workers().find(|(_, service)| is_worker(service)).map(
        |(name, service)| {
            let processes = service.processes.iter().map(|(process, _)| *process);
            (name, service.total(|activity| activity.work_roots), SdkSetup::of_all(processes))
        },
    );
    // One of several processes of a service, if they can be told apart.
    let one_of_several = || {
        let mut processes =
            known.services().uninstrumented_processes().filter(|(_, activity)| is_at_work(activity));
        let (process, activity) = processes.next().filter(|_| was_taken)?;
        Some((&*process.service, activity.work_roots, SdkSetup::of(process)))
    };
    let Some((name, roots, setting)) = worker.or_else(one_of_several) else {
        return if was_taken { by_its_broker(handoff, known) } else { Judgment::Clean };
    };
    // Its roots may come from a process that runs no tasks: nothing joins them to a task.
    let found = if was_taken {
        Occurrence::likely()
    } else {
        Occurrence::possible()
            .variant("unseen")
            .severity(Severity::Warning)
            .says("a task was published, no run of it was seen, and since then a service has done work outside of any request or task: perhaps a worker in which nothing reads Celery's messages")
            .needs("--broker, to see that a worker took the message")
    };
    found
        .unless(slug::WORKER_SILENT, "the roots may come from a process that runs no tasks")
        .unless(
            slug::EXTRACT_RESULT_IGNORED,
            "the roots may be the runs themselves: hand-made spans without a kind, which do not continue the context",
        )
        .about(handoff)
        .service(name)
        .quote(handoff.producer.map(quote::span))
        .quote(handoff.result.map(quote::result))
        .quote(quote::fact(format!("spans of {name}"), format!("{roots} roots of its own, no consumer span")))
        .mend(instrumentation::worker(&setting))
        .into()
}

/// By what a worker's main process asks of its broker: that is no work of a task, and only a
/// worker does it.
fn by_its_broker(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some((name, service)) = known.services().uninstrumented_takers().next() else {
        return Judgment::Clean;
    };
    if known.services().silent_pool(handoff).is_some() {
        // Whatever reads Celery's messages there, its children send nothing.
        return Judgment::Clean;
    }
    if partial_run::may_go_on(handoff, known) {
        return Judgment::Wait;
    }
    let calls = service.total(|activity| activity.taken);
    let setting = SdkSetup::of_all(service.processes.iter().map(|(process, _)| *process));
    Occurrence::likely()
        .variant("takes-messages")
        .says("a worker took the message and sent no span of it, while its calls to the broker are traced: nothing in it reads Celery's messages")
        .unless(slug::WORKER_SILENT, "the calls are of the worker's main process: the children of its pool may send nothing")
        .about(handoff)
        .service(name)
        .quote(handoff.producer.map(quote::span))
        .quote(handoff.result.map(quote::result))
        .quote(quote::fact(
            format!("spans of {name}"),
            format!("{calls} calls by which a worker takes messages, no consumer span"),
        ))
        .mend(instrumentation::worker(&setting))
        .into()
}
