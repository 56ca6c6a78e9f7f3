use crate::diagnosis::advice::{celery, tracelink};
use crate::diagnosis::known::{SdkSetup, is_publisher};
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Continuity, Handoff};
use crate::model::{CarriedContext, Message, Protocol, Station};

diagnosis! {
    /// ## What it means
    /// The task is published with Celery's message protocol 1, whose `headers`
    /// are empty. The OpenTelemetry instrumentor writes the context only where
    /// there are headers, so on protocol 1 it never propagates.
    ///
    /// ## What shows it
    /// In a queue: a body that is an object, and no flat header with a context. If the
    /// application writes a flat `traceparent` itself, workers find it, and the message is
    /// healthy; a context in any other shape is not found. In spans alone: the two spans of
    /// one message id lie in two traces, and `celery.hostname` names the worker instead of
    /// the producer (`gen<pid>@<host>`).
    ///
    /// ## How to fix it
    /// Set `task_protocol` to 2, the default since Celery 4, where the publishing
    /// process configures Celery.
    pub static PROTOCOL_1 = {
        code: "TL105",
        slug: "protocol-1",
        station: Some(Station::Inject),
        severity: Error,
        summary: "the task is published with message protocol 1, where the instrumentor never propagates the context",
        fixes: || celery::protocol_2(&SdkSetup::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let fixed = |found: Occurrence| {
        Judgment::from(found.about(handoff).mend(celery::protocol_2(&SdkSetup::of_producer(handoff))))
    };
    if let Some(message) = handoff.message() {
        return of_message(message, handoff).map_or(Judgment::Clean, fixed);
    }
    let (Some(producer), Some(consumer)) = (handoff.instrumented_producer(), handoff.consumer()) else {
        return Judgment::Clean;
    };
    let hostname = consumer.span.attributes().celery_hostname.as_deref().unwrap_or_default();
    let in_two_traces = handoff.continuity() == Some(Continuity::Orphaned);
    if !in_two_traces || !consumer.span.is_instrumented_run() || hostname.is_empty() || is_publisher(hostname)
    {
        return Judgment::Clean;
    }
    fixed(
        Occurrence::likely()
            .variant("spans")
            .says("the two spans of the task lie in two traces, and the run names its own worker as the publisher: the task was published with message protocol 1, where the instrumentor never propagates the context")
            .unless(slug::PROPAGATOR_MISMATCH, "a publisher that is not Celery's own code may use that name too")
            .needs(tracelink::to_see_the_message(known))
            .quote(quote::span(producer))
            .quote(quote::span(consumer))
            .quote(quote::fact("celery.hostname", hostname)),
    )
}

/// For a message of protocol 1 whose context no instrumentor finds. A flat header that the
/// application writes is found, since Celery turns the message's headers into those of the
/// request.
fn of_message(message: &Message, handoff: &Handoff<'_>) -> Option<Occurrence> {
    let is_found = |found: &CarriedContext| {
        found.is_flat_header() && found.context().is_some() && !found.format.is_vendor()
    };
    let is_ours = message.protocol == Protocol::One && !message.contexts.iter().any(is_found);
    if !is_ours || handoff.is_whole() {
        return None;
    }
    let at = quote::place(message);
    let protocol = quote::fact(format!("{at}.body"), "an object: message protocol 1");
    let in_another_shape = message.contexts.iter().find(|found| found.context().is_some());
    let Some(carrier) = in_another_shape else {
        return Some(Occurrence::certain().quote(quote::fact(format!("{at}.headers"), "{}")).quote(protocol));
    };
    let found = Occurrence::likely()
        .variant("carrier")
        .says("the task is published with message protocol 1, where the instrumentor never propagates the context, and what it carries has a shape that only the application's own code reads")
        .quote(quote::context(message, carrier))
        .quote(protocol);
    let began_anew = handoff.continuity().is_some() || !handoff.candidate_runs.is_empty();
    Some(if began_anew {
        found
    } else {
        found.predicted().needs("the worker's spans, to see whether it follows the context")
    })
}
