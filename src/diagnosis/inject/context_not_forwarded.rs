use super::message::{is_nested, message_without_context};
use crate::diagnosis::advice::injection::{self, Shape};
use crate::diagnosis::known::Setting;
use crate::diagnosis::rule::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::{Encoding, Message, Place, Protocol, Sighting, Station};

diagnosis! {
    /// ## What it means
    /// A task published this message, and did not hand its context on: the
    /// trace ends at the first task of a chain, or at a task that calls another.
    ///
    /// ## What shows it
    /// A message with a `parent_id` that is not its own id, and no context. Or
    /// a chain whose first message holds a carrier of the application's own
    /// while the signature of the next task, in its embed, has none: Celery
    /// publishes the next task itself, and nobody injects. Under the
    /// instrumentor such an embed is healthy.
    ///
    /// ## How to fix it
    /// Instrument the worker, which then injects for each task it publishes. Where its
    /// spans are made by hand, inject in a receiver of Celery's signal that comes
    /// before each publish.
    pub static CONTEXT_NOT_FORWARDED = {
        code: "TL107",
        slug: "context-not-forwarded",
        station: Some(Station::Inject),
        severity: Error,
        summary: "a task published this message and did not hand its context on",
        fixes: || injection::from_a_task(&Shape::Flat, &Setting::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    if let Some(message) = message_without_context(handoff)
        && is_nested(message)
        && message.retries == 0
        // An instrumentor was at work: what it wrote is another station's matter.
        && handoff.instrumented_producer().is_none()
        && !began_without(message, known)
    {
        let parent = message.parent_id.as_deref().unwrap_or_default();
        return Occurrence::certain()
            .about(handoff)
            .quote(quote::fact(format!("{}.headers.parent_id", quote::place(message)), parent))
            .quote(quote::no_context(message))
            .mend(injection::from_a_task(&Shape::Flat, &known.worker_setting(handoff)))
            .into();
    }
    check_chain(handoff, known)
}

/// Whether the task at the root, or the one that published this, is known to
/// have had no context either: then it was lost before, and there it is said.
fn began_without(message: &Message, known: &Known<'_>) -> bool {
    let above = [message.root_id.as_deref(), message.parent_id.as_deref()];
    above.into_iter().flatten().filter(|id| **id != *message.id).any(|id| {
        let first = known.evidence.tasks.get(id).and_then(|task| task.messages.first());
        first
            .is_some_and(|first| first.message.contexts.is_empty() && first.message.protocol == Protocol::Two)
    })
}

/// A chain whose next task will be published without a context.
fn check_chain(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(message) = handoff.message() else { return Verdict::Clean };
    let Some(next) = message.chain_next.as_ref().filter(|next| !next.has_context) else {
        return Verdict::Clean;
    };
    let hand_made = message.contexts.iter().find(|found| {
        found.context().is_some()
            && (matches!(found.place, Place::Carrier(_)) && found.encoding != Encoding::Flat)
    });
    // A flat header beside it is the instrumentor's, which injects for the next task too.
    let is_instrumented =
        message.contexts.iter().any(Sighting::is_flat_header) || handoff.instrumented_producer().is_some();
    let Some(carrier) = hand_made.filter(|_| !is_instrumented) else { return Verdict::Clean };
    // What was seen to become of the next task is better evidence than the
    // prediction: it speaks for its own hand-off.
    if handoff.was_run() && known.has_spans() {
        return Verdict::Clean;
    }
    Occurrence::likely()
        .variant("chain")
        .says("the chain hands its context to the first task only: the next one will be published without")
        .about(handoff)
        .quote(quote::sighting(message, carrier))
        .quote(quote::fact(
            format!("{}.body.embed.chain", quote::place(message)),
            format!("{}: no headers", next.task),
        ))
        .unless(
            slug::CARRIER_SHAPE_MISMATCH,
            "a worker with the instrumentor would inject for the next task, and not read this carrier",
        )
        .mend(injection::from_a_task(&Shape::Flat, &known.worker_setting(handoff)))
        .into()
}
