use super::unknown_service::is_unset;
use crate::diagnosis::advice::identity;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{Activity, Process, Service, StoredSpan};
use crate::model::{Severity, SpanKind};

diagnosis! {
    /// ## What it means
    /// The API and the worker call themselves by one `service.name`. Their
    /// spans are whole, and no viewer can tell the two apart. Often the API
    /// imports the worker's module, which sets the tracer provider first;
    /// OpenTelemetry then logs "Overriding of current TracerProvider is not
    /// allowed" and keeps the worker's name.
    ///
    /// ## What shows it
    /// SERVER and CONSUMER spans of one `service.name` from processes that
    /// differ in `service.instance.id`, process id or host. A note, since many
    /// applications choose one name for all; a warning where other workers that
    /// run tasks of this service have names of their own, so that it looks like an
    /// accident. Tasks that the API
    /// calls within itself do not count, and a name that nobody gave is
    /// `service-name-unset`.
    ///
    /// ## How to fix it
    /// A name of its own for the worker, or for the API where both are called a
    /// worker: where code makes the provider, or by environment where a launcher
    /// does. Set the provider in each program's entry point, not in a module that
    /// both import.
    pub static SERVICE_NAME_COLLISION = {
        code: "TL601",
        slug: "service-name-collision",
        station: None,
        severity: Warning,
        summary: "the API and the worker use the same service.name",
        fixes: || {
            let by_code = SdkSetup::default();
            let of = |name| identity::apart(name, &by_code, &by_code);
            of("order-api").into_iter().chain(of("order-worker")).collect()
        },
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (name, service) in known.services().iter() {
        // The cause is then that nobody gave it a name, and that has its own finding.
        if is_unset(name) {
            continue;
        }
        let server =
            service.processes.iter().find(|(_, activity)| activity.servers > 0 && activity.runs == 0);
        let Some((server, _)) = server else { continue };
        let is_worker =
            |process: &Process, activity: &Activity| activity.runs > 0 && process.differs_from(server);
        let worker = service.processes.iter().find(|(process, activity)| is_worker(process, activity));
        let Some((worker, _)) = worker else { continue };
        let instance = |process: &Process| match (&process.instance, process.pid, &process.host) {
            (Some(instance), ..) => format!("service.instance.id {instance}"),
            (None, Some(pid), _) => format!("process.pid {pid}"),
            (None, None, Some(host)) => format!("host.name {host}"),
            (None, None, None) => "another process".to_owned(),
        };
        let occurrence = Occurrence::likely()
            .service(name)
            .quote(quote::fact(format!("SERVER spans of {name}"), instance(server)))
            .quote(quote::fact(format!("CONSUMER spans of {name}"), instance(worker)))
            .mend(identity::apart(name, &SdkSetup::of(server), &SdkSetup::of(worker)));
        // If other workers have names of their own, this one probably should too.
        found(match other_worker(name, known) {
            Some(other) => occurrence
                .variant("one-of-several")
                .says("one of several workers uses the API's service.name, and others do not")
                .quote(quote::fact(format!("CONSUMER spans of {other}"), "a worker with a name of its own"))
                .needs("whether that worker serves HTTP of its own, such as a health check: then one name may be meant"),
            None => occurrence
                .severity(Severity::Note)
                .needs("whether one name is meant for all processes: many applications choose it"),
        });
    }
}

/// A worker with a name of its own that runs what the service `name` publishes. Workers of
/// another application say nothing about how this one names its own.
fn other_worker<'e>(name: &str, known: &Known<'e>) -> Option<&'e str> {
    let is_worker = |other: &str, service: &Service<'_>| {
        other != name && !is_unset(other) && !service.serves() && service.total(|activity| activity.runs) > 0
    };
    if !known.services().iter().any(|(other, service)| is_worker(other, service)) {
        return None;
    }
    let is_run = |span: &StoredSpan| {
        span.kind == SpanKind::Consumer
            && !span.attributes().is_foreign
            && known.services().get(span.service()).is_some_and(|service| is_worker(span.service(), service))
    };
    let runs = known.evidence.spans.traces().flat_map(|trace| {
        let comes_from_it = |span: &&StoredSpan| trace.ancestors(span).any(|above| above.service() == name);
        trace.spans.iter().filter(|span| is_run(span)).filter(comes_from_it)
    });
    // By name, so that it is the same in whichever order evidence came.
    runs.map(StoredSpan::service).min()
}
