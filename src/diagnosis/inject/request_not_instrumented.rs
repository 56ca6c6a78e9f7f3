use crate::diagnosis::advice::instrumentation;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{Service, StoredSpan};
use crate::model::{Severity, SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// The service publishes tasks and sends no SERVER span: if it is a web
    /// API, its framework is not instrumented, and every trace begins at the
    /// task instead of at the request.
    ///
    /// ## What shows it
    /// PRODUCER and INTERNAL roots of a service without any SERVER span. A
    /// script or a scheduler looks the same and is right, which is why this
    /// is a note. It is a warning where another service's CLIENT span calls it.
    ///
    /// ## How to fix it
    /// Instrument the application with the instrumentor of its framework, once it is
    /// made. A script needs nothing.
    pub static REQUEST_NOT_INSTRUMENTED = {
        code: "TL110",
        slug: "request-not-instrumented",
        station: Some(Station::Request),
        severity: Note,
        summary: "a service publishes tasks and sends no SERVER span: a script, or a web framework without instrumentation",
        fixes: instrumentation::web_framework,
        check: Population(check),
    }
}

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for (name, service) in known.services().iter() {
        let roots = service.total(|activity| activity.producer_roots);
        let work = service.total(|activity| activity.work_roots);
        if roots == 0 || service.serves() || service.consumes() {
            continue;
        }
        let caller = known.services().iter().find(|(_, caller)| calls(caller, name));
        // The request around what it publishes may not have ended yet.
        let is_of_it = |span: &StoredSpan| span.kind == SpanKind::Producer && span.service() == name;
        let mut traces = known.evidence.spans.traces();
        if !traces.any(|trace| known.traces().has_settled(trace) && trace.spans.iter().any(is_of_it)) {
            continue;
        }
        // A script publishes and does nothing else; nobody calls one.
        if work == 0 && caller.is_none() {
            continue;
        }
        let mut occurrence = Occurrence::possible()
            .service(name)
            .counting(roots)
            .quote(quote::fact(
                format!("spans of {name}"),
                format!("{roots} PRODUCER roots, {work} other roots, no SERVER span"),
            ))
            .mend(instrumentation::web_framework());
        if let Some((caller, _)) = caller {
            occurrence = occurrence
                .variant("called")
                .severity(Severity::Warning)
                .says("a service is called over the network, publishes tasks, and sends no SERVER span: its web framework is not instrumented")
                .quote(quote::fact(format!("CLIENT spans of {caller}"), format!("call {name}")));
        }
        found(occurrence);
    }
}

/// Whether a CLIENT span of the caller names the service as its peer.
fn calls(caller: &Service<'_>, name: &str) -> bool {
    caller.processes.iter().any(|(process, activity)| {
        &*process.service != name
            && activity.peers.iter().any(|peer| peer.split(':').next().is_some_and(|host| host == name))
    })
}
