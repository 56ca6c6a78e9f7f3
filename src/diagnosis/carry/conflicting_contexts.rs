use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::{carrier, injection};
use crate::diagnosis::known::Sides;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Handoff, SpanRef};
use crate::model::{CarriedContext, ContextFormat, Fix, Place, Severity, Station};

diagnosis! {
    /// ## What it means
    /// The message carries two contexts of different traces, either of which
    /// the worker's reader could take. Which one it takes depends on the order
    /// of its propagators.
    ///
    /// ## What shows it
    /// Two valid contexts in the flat headers with different trace ids. An
    /// error where the worker followed one that is not the producer's, whether that
    /// is still there or not; a note while it is not known which one it follows.
    ///
    /// ## How to fix it
    /// One owner for propagation. The context that names the sender's span stays, as an
    /// instrumentor writes it; the other goes. Where neither does, both go, and the
    /// context of the span that publishes is written. Where the instrumentor published
    /// and its context is not there, a vendor's agent beside it, or a receiver of
    /// `before_task_publish`, wrote another in its place.
    ///
    /// ## What it is not
    /// One vendor's headers beside W3C, a nested context of another agent, or
    /// two forms of one trace.
    pub static CONFLICTING_CONTEXTS = {
        code: "TL208",
        slug: "conflicting-contexts",
        station: Some(Station::Carry),
        severity: Note,
        summary: "the message carries contexts of two different traces, and its reader could take either",
        fixes: || {
            let mut fixes = carrier::one_owner(&[ContextFormat::B3], Some(ContextFormat::W3c), &Sides::of_celery());
            fixes.push(injection::let_the_instrumentor_write());
            fixes
        },
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, _: &Known<'_>) -> Judgment {
    let Some(message) = handoff.message() else { return Judgment::Clean };
    if let Some(verdict) = followed_another(handoff) {
        return verdict;
    }
    let mut readable = message.contexts.iter().filter(|found| is_flat_and_open(found));
    let Some(first) = readable.next() else { return Judgment::Clean };
    let trace_of = |found: &CarriedContext| found.context().map(|context| context.trace_id);
    let Some(other) = readable.find(|found| trace_of(found) != trace_of(first)) else {
        return Judgment::Clean;
    };

    let found = Occurrence::certain()
        .about(handoff)
        .variant(format!("{}-and-{}", first.format.label(), other.format.label()))
        .quote(quote::context(message, first))
        .quote(quote::context(message, other))
        .mend(one_owner(handoff, first, other));
    if handoff.consumer().is_some() {
        return Judgment::Clean;
    }
    found.needs("the worker's spans, to see which one it follows").into()
}

/// The worker is seen to have followed a context of the message, and it is of
/// another trace than the producer's.
fn followed_another(handoff: &Handoff<'_>) -> Option<Judgment> {
    let (message, producer, consumer) = (handoff.message()?, handoff.producer?, handoff.consumer()?);
    if consumer.trace.id == producer.trace.id {
        return None;
    }
    let is_followed = |found: &&CarriedContext| {
        found.context().is_some_and(|context| {
            context.trace_id == consumer.trace.id && consumer.span.parent == Some(context.span_id)
        })
    };
    let followed = message.contexts.iter().find(is_followed)?;
    let own = message.contexts.iter().find(|found| names(found, producer));
    if own.is_none() && handoff.instrumented_producer().is_some() && followed.is_flat_header() {
        return Some(replaced(handoff, followed, consumer));
    }
    let fixes = match CarrierShape::under_its_key(followed) {
        // Whoever reads a carrier by hand needs one there.
        Some(shape) => carrier::under_key(&shape, &Sides::of(handoff)),
        None => carrier::one_owner(&[followed.format], own.map(|own| own.format), &Sides::of(handoff)),
    };
    Some(
        Occurrence::certain()
            .about(handoff)
            .variant("followed")
            .severity(Severity::Error)
            .says("the message carries contexts of two traces, and the worker followed the one that is not the producer's")
            .quote(own.map(|found| quote::context(message, found)))
            .quote(quote::context(message, followed))
            .quote(quote::span(consumer))
            .mend(fixes)
            .into(),
    )
}

/// The instrumentor injects last of all that a program does before it publishes. What took
/// the place of its context came after it.
fn replaced(handoff: &Handoff<'_>, followed: &CarriedContext, consumer: SpanRef<'_>) -> Judgment {
    let message = handoff.message();
    Occurrence::likely()
        .about(handoff)
        .variant("replaced")
        .severity(Severity::Error)
        .says("the message carries a context of another trace than its producer's, and the worker followed it: something wrote it in place of the instrumentor's")
        .quote(message.map(|message| quote::context(message, followed)))
        .quote(handoff.producer.map(quote::span))
        .quote(quote::span(consumer))
        .mend([injection::let_the_instrumentor_write()])
        .into()
}

/// Whether an OpenTelemetry reader of flat headers could take it.
fn is_flat_and_open(carried: &CarriedContext) -> bool {
    carried.context().is_some() && carried.place == Place::Header && !carried.format.is_vendor()
}

/// Whether the context names a span.
fn names(carried: &CarriedContext, span: SpanRef<'_>) -> bool {
    carried.context().is_some_and(|context| context.span_id == span.span.id)
}

/// The context that names the sender's span stays, where one does.
fn one_owner(handoff: &Handoff<'_>, one: &CarriedContext, other: &CarriedContext) -> Vec<Fix> {
    let sides = Sides::of(handoff);
    let is_own = |found: &CarriedContext| handoff.producer.is_some_and(|producer| names(found, producer));
    match (is_own(one), is_own(other)) {
        (true, _) => carrier::one_owner(&[other.format], Some(one.format), &sides),
        (_, true) => carrier::one_owner(&[one.format], Some(other.format), &sides),
        _ => carrier::one_owner(&[one.format, other.format], None, &sides),
    }
}
