use std::collections::BTreeSet;

use super::publisher::is_nested;
use crate::diagnosis::advice::carrier_shape::CarrierShape;
use crate::diagnosis::advice::injection;
use crate::diagnosis::advice::tracelink;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Handoff, SpanKey, SpanRef};
use crate::model::{CarriedContext, Severity, Side, SpanContext, SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// The application copies the `traceparent` of the incoming request into
    /// the message, instead of injecting its own current context. The trace id
    /// is right and the parent is wrong: the worker's span hangs beside the
    /// request's span instead of under it.
    ///
    /// ## What shows it
    /// The consumer has the very parent that the SERVER span has, which came in
    /// from outside, and there is no PRODUCER span. Or a task published the message,
    /// and it carries the very context that the task's own message carried. From
    /// the queue alone that is a note, since no run is seen to be passed over.
    ///
    /// ## How to fix it
    /// Inject the current context right before the task is published, instead of
    /// copying `traceparent` out of what came in.
    ///
    /// ## What it is not
    /// A retry, which is the same task; a chain or a callback to whose tasks the
    /// application gave one carrier when it published the first.
    pub static INCOMING_CONTEXT_FORWARDED = {
        code: "TL111",
        slug: "incoming-context-forwarded",
        station: Some(Station::Inject),
        severity: Warning,
        summary: "the message carries the context that came in with the request, not the request's own: the task hangs beside the request instead of under it",
        fixes: || injection::own_context(Side::Producer, &CarrierShape::Flat, &SdkSetup::default(), false),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if handoff.producer.is_some() {
        return Judgment::Clean;
    }
    let Some((consumer, server)) =
        handoff.consumers.iter().find_map(|consumer| Some((*consumer, sibling_server(*consumer, known)?)))
    else {
        return by_a_task(handoff, known);
    };
    // If the sender is seen and published by hand, it is the right parent.
    let parent = consumer.span.parent.and_then(|parent| consumer.trace.get(parent));
    if parent.is_some_and(|parent| parent.kind != SpanKind::Client) {
        return Judgment::Clean;
    }
    let mut found = Occurrence::likely()
        .about(handoff)
        .service(server.span.service())
        .quote(quote::span(server))
        .quote(quote::span(consumer));
    let message = handoff.message();
    if message.is_none() {
        found = found.needs(tracelink::to_see_the_message(known));
    }
    let carried = message.and_then(|message| message.contexts.iter().find(|found| found.context().is_some()));
    let shape = carried.map_or(CarrierShape::Flat, CarrierShape::of);
    let setting = SdkSetup::of(&server.span.process);
    let is_hand_made = message.is_some_and(|message| message.hand_made);
    found.mend(injection::own_context(Side::Producer, &shape, &setting, is_hand_made)).into()
}

/// A SERVER span with the same parent, which started before the run.
fn sibling_server<'e>(consumer: SpanRef<'_>, known: &Known<'e>) -> Option<SpanRef<'e>> {
    let parent = SpanKey { trace_id: consumer.trace.id, span_id: consumer.span.parent? };
    known.traces().server_below(parent).filter(|server| server.span.start <= consumer.span.start)
}

/// Whether the task that published the message passed on the context that it had been
/// given.
fn by_a_task(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(message) = handoff.message().filter(|message| is_nested(message)) else {
        return Judgment::Clean;
    };
    let publisher = message.parent_id.as_deref().and_then(|id| known.evidence.tasks.get(id));
    let Some(publisher) = publisher else { return Judgment::Clean };
    let came_in: BTreeSet<_> = publisher.contexts().collect();
    let key = |context: &SpanContext| SpanKey { trace_id: context.trace_id, span_id: context.span_id };
    let own = message.contexts.iter().filter(|found| !found.format.is_vendor());
    let own: Vec<_> = own.filter_map(|found| Some((found, key(found.context()?)))).collect();
    let Some((carried, context)) = own.first().copied() else { return Judgment::Clean };
    let is_forwarded = own.iter().all(|(_, context)| came_in.contains(context));
    let follows =
        |run: &SpanRef<'_>| run.trace.id == context.trace_id && run.span.parent == Some(context.span_id);
    let went_elsewhere = !handoff.consumers.is_empty() && !handoff.consumers.iter().any(follows);
    // The publisher of a chain may give each of its tasks the same carrier.
    let was_given = publisher.messages.iter().any(|delivery| delivery.message.hands_on);
    if !is_forwarded || went_elsewhere || was_given {
        return Judgment::Clean;
    }
    let attempts = publisher.handoffs(known.evidence);
    let run = attempts.iter().find_map(Handoff::consumer);
    let found = if run.is_some() {
        Occurrence::likely()
    } else {
        Occurrence::possible()
            .severity(Severity::Note)
            .needs("the worker's spans, to see whether the task that published it has a run to hang below")
    };
    let theirs = publisher.messages.iter().find_map(|delivery| {
        let names = |found: &&CarriedContext| found.context().is_some_and(|found| key(found) == context);
        Some(quote::context(&delivery.message, delivery.message.contexts.iter().find(names)?))
    });
    let setting = run.map(|run| SdkSetup::of(&run.span.process)).unwrap_or_default().or_of(message);
    let variant = if run.is_some() { "task" } else { "task-unseen" };
    found
        .variant(variant)
        .says("a task's message carries the context that came in with the task which published it, not that task's own: it hangs beside that run instead of under it")
        .about(handoff)
        .quote(theirs)
        .quote(quote::context(message, carried))
        .quote(run.map(quote::span))
        .mend(injection::own_context(Side::Worker, &CarrierShape::of(carried), &setting, message.hand_made))
        .into()
}
