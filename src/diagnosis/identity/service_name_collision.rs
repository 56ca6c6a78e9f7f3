use super::unset::is_unset;
use crate::diagnosis::advice::identity;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{Activity, Process};
use crate::model::Severity;

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
    /// applications choose one name for all; a warning where other workers have
    /// names of their own, so that it looks like an accident. Tasks that the API
    /// calls within itself do not count, and a name that nobody gave is
    /// `service-name-unset`.
    ///
    /// ## How to fix it
    /// ```sh
    /// OTEL_SERVICE_NAME=order-api              # in the API
    /// OTEL_SERVICE_NAME=order-worker           # in the worker
    /// ```
    ///
    /// and set the provider in each program's entry point, not in a module
    /// that both import.
    pub static SERVICE_NAME_COLLISION = {
        code: "TL601",
        slug: "service-name-collision",
        station: None,
        severity: Warning,
        summary: "the API and the worker call themselves by one service.name",
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (name, service) in &known.services {
        // That nobody gave it a name is the cause then, and told.
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
            .service(*name)
            .quote(quote::fact(format!("SERVER spans of {name}"), instance(server)))
            .quote(quote::fact(format!("CONSUMER spans of {name}"), instance(worker)))
            .fix(identity::SERVICE_NAMES);
        // Where workers have names of their own, one that does not was to have one.
        let other = known.services.iter().find(|(other, service)| {
            *other != name
                && !is_unset(other)
                && !service.serves()
                && service.total(|activity| activity.runs) > 0
        });
        found(match other {
            Some((other, _)) => occurrence
                .variant("one-of-several")
                .says("one of several workers calls itself by the API's service.name, and others do not")
                .quote(quote::fact(format!("CONSUMER spans of {other}"), "a worker with a name of its own"))
                .needs("whether that worker serves HTTP of its own, such as a health check: then one name may be meant"),
            None => occurrence
                .severity(Severity::Note)
                .needs("whether one name is meant for all processes: many applications choose it"),
        });
    }
}
