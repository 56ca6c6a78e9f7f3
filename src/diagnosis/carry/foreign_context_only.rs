use super::reading::{began_anew, root_of, unread_message};
use crate::diagnosis::advice::{instrumentation, propagators};
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::Handoff;
use crate::model::{Severity, Station, key};

diagnosis! {
    /// ## What it means
    /// The message carries one vendor's context only (Sentry, Datadog, Elastic,
    /// AWS X-Ray, Jaeger's own), and a worker that speaks OpenTelemetry reads
    /// none of it.
    ///
    /// ## What shows it
    /// A vendor's headers and no W3C or B3 context. A warning, and likely at
    /// most, since the same vendor's agent in the worker would follow it; an
    /// error where the worker's span is seen to begin a trace of its own.
    ///
    /// ## How to fix it
    /// One vendor on both sides; or OpenTelemetry on both, beside it:
    ///
    /// ```python
    /// CeleryInstrumentor().instrument()
    /// ```
    pub static FOREIGN_CONTEXT_ONLY = {
        code: "TL206",
        slug: "foreign-context-only",
        station: Some(Station::Carry),
        severity: Warning,
        summary: "the message carries one vendor's context only, which a worker with OpenTelemetry does not read",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _known: &Known<'_>) -> Verdict {
    let Some(message) = unread_message(handoff) else { return Verdict::Clean };
    let Some(first) = message.contexts.first() else { return Verdict::Clean };
    if !message.contexts.iter().all(|found| found.format.is_vendor()) || handoff.is_whole() {
        return Verdict::Clean;
    }
    let vendor = first.format.label();
    let mut found = Occurrence::likely()
        .about(handoff)
        .variant(vendor)
        .says_with(
            "the message carries {vendor} context only, which a worker with OpenTelemetry does not read",
            [(key::VENDOR, vendor)],
        )
        .quote(quote::sighting(message, first));
    found = match first.format.propagator() {
        Some(_) => found.fix(propagators::read_vendor(first.format)),
        None => found.fix(instrumentation::BOTH_SIDES),
    };
    if let Some(confidence) = began_anew(handoff) {
        found = Occurrence { confidence, ..found }
            .severity(Severity::Error)
            .quote(root_of(handoff).map(quote::span));
    } else {
        found = found.needs("the worker's spans, to see whether it follows the context");
    }
    found.into()
}
