use crate::diagnosis::advice::identity;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};

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
    /// differ in `service.instance.id`, process id or host.
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
        let server =
            service.processes.iter().find(|(_, activity)| activity.servers > 0 && activity.consumers == 0);
        let Some((server, _)) = server else { continue };
        let worker = service.processes.iter().find(|(process, activity)| {
            activity.consumers > 0 && process.is_identified() && process.differs_from(server)
        });
        let Some((worker, _)) = worker else { continue };
        let instance = |process: &crate::evidence::Process| match (&process.instance, process.pid) {
            (Some(instance), _) => format!("service.instance.id {instance}"),
            (None, Some(pid)) => format!("process.pid {pid}"),
            (None, None) => "another process".to_owned(),
        };
        found(
            Occurrence::likely()
                .service(*name)
                .quote(quote::fact(format!("SERVER spans of {name}"), instance(server)))
                .quote(quote::fact(format!("CONSUMER spans of {name}"), instance(worker)))
                .needs("whether a worker serves HTTP of its own, such as a health check: then one name may be meant")
                .fix(identity::SERVICE_NAMES),
        );
    }
}
