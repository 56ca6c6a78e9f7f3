use std::collections::BTreeSet;

use super::readable::{began_anew, is_run_missed, root_of, unread_message};
use crate::diagnosis::advice::tracelink;
use crate::diagnosis::advice::vendors::{self, Publisher};
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Continuity, Handoff, OtlpProtocol};
use crate::model::{CarriedContext, ContextFormat, Place, Severity, Station, key};

diagnosis! {
    /// ## What it means
    /// The message carries one vendor's context only (Sentry, Datadog, Elastic,
    /// AWS X-Ray, Jaeger's own), and a worker that speaks OpenTelemetry reads
    /// none of it.
    ///
    /// ## What shows it
    /// A vendor's headers and no W3C or B3 context, and a run that began a trace of
    /// its own. A message that no look saw is judged by the others of its
    /// producer. From a queue alone it is a prediction, and a note: the same
    /// vendor's agent in the worker would follow it; a warning where a later look
    /// was taken, and no span came. Ids under an application's own
    /// names are read by nobody but the application.
    ///
    /// ## How to fix it
    /// Where Celery's instrumentor is on both sides, set the same propagators: W3C, and
    /// the vendor's where OpenTelemetry has it (AWS X-Ray). Where OpenTelemetry traces
    /// the process that publishes and writes nothing, write its context beside the
    /// vendor's. Where the vendor's agent is alone, use its own switch, or set up
    /// OpenTelemetry beside it: then the sender's spans are in the trace too.
    pub static FOREIGN_CONTEXT_ONLY = {
        code: "TL206",
        slug: "foreign-context-only",
        station: Some(Station::Carry),
        severity: Error,
        summary: "the message carries one vendor's context only, which a worker with OpenTelemetry does not read",
        fixes: || vendors::beside(ContextFormat::Datadog, Publisher::Unseen, &Sides::of_celery(), OtlpProtocol::Grpc),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if handoff.message().is_none() {
        return of_unseen_message(handoff, known);
    }
    let Some(message) = unread_message(handoff) else { return Judgment::Clean };
    let Some(first) = message.contexts.first() else { return Judgment::Clean };
    // What travels among the arguments is another rule's.
    let is_read_here = |found: &CarriedContext| found.format.is_vendor() && found.place != Place::Body;
    if !message.contexts.iter().all(is_read_here) || handoff.is_whole() {
        return Judgment::Clean;
    }
    let vendor = first.format.label();
    let mut found = Occurrence::likely().about(handoff).quote(quote::context(message, first));
    found = match first.format {
        ContextFormat::Ids => found.says(
            "the message carries a trace id and a span id under names of the application's own, which no propagator reads",
        ),
        _ => found.says_with(
            "the message carries {vendor} context only, which a worker with OpenTelemetry does not read",
            [(key::VENDOR, vendor)],
        ),
    };
    let exports = known.evidence.receiver().protocol();
    found =
        found.mend(vendors::beside(first.format, publisher(handoff, known), &Sides::of(handoff), exports));
    if let Some(confidence) = began_anew(handoff) {
        return Occurrence { confidence, ..found }
            .variant(vendor)
            .quote(root_of(handoff).map(quote::span))
            .into();
    }
    // With OpenTelemetry on the sending side, another diagnosis speaks if a run should have
    // been seen by now.
    let names_a_span = || handoff.contexts().any(|sender| known.evidence.spans.get(sender).is_some());
    if is_run_missed(handoff, known) && (handoff.producer.is_some() || names_a_span()) {
        return Judgment::Clean;
    }
    let found = found
        .variant(format!("{vendor}-predicted"))
        .needs("the worker's spans, to see whether it follows the context");
    if is_run_missed(handoff, known) {
        // The same vendor's agent may well be in the worker, and send elsewhere.
        return found.severity(Severity::Note).into();
    }
    // There was more than one look, and no run that follows it was seen.
    if !known.has_spans() && known.evidence.brokers.looks() > 1 {
        return found.severity(Severity::Warning).into();
    }
    found.predicted().into()
}

/// A message that was taken before a look saw it, by the other messages of its producer.
fn of_unseen_message(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let (Some(producer), Some(Continuity::Orphaned)) =
        (handoff.instrumented_producer(), handoff.continuity())
    else {
        return Judgment::Clean;
    };
    let written = known.writers().formats_of(producer.span.service());
    let is_foreign = |formats: &&BTreeSet<ContextFormat>| formats.iter().all(|format| format.is_vendor());
    let Some(format) = written.filter(is_foreign).and_then(BTreeSet::first) else { return Judgment::Clean };
    let vendor = format.label();
    Occurrence::likely()
        .about(handoff)
        .variant(vendor)
        .says_with(
            "the two spans of one task lie in two traces, and other messages of the producer carry {vendor} context only, which a worker with OpenTelemetry does not read",
            [(key::VENDOR, vendor)],
        )
        .quote(quote::span(producer))
        .quote(root_of(handoff).map(quote::span))
        .needs(tracelink::to_see_the_message(known))
        .mend(vendors::beside(
            *format,
            Publisher::Instrumented,
            &Sides::of(handoff),
            known.evidence.receiver().protocol(),
        ))
        .into()
}

/// What OpenTelemetry does where tasks are published, by the spans that came.
fn publisher(handoff: &Handoff<'_>, known: &Known<'_>) -> Publisher {
    if handoff.instrumented_producer().is_some() {
        return Publisher::Instrumented;
    }
    let publishes = known.services().values().any(|service| service.serves() || service.produces());
    if publishes { Publisher::Traced } else { Publisher::Unseen }
}
