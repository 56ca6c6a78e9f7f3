//! Who sent a message, and whether it should have had a context.

use crate::diagnosis::rule::Known;
use crate::evidence::{Activity, Handoff, Process};
use crate::model::{Message, Protocol};

/// The message of a hand-off that was sent without any context, by a producer
/// that should have sent one.
///
/// A message of beat has no request behind it, and so nothing to hand over.
pub fn message_without_context<'e>(handoff: &Handoff<'e>) -> Option<&'e Message> {
    let message = handoff.message()?;
    let is_bare = message.contexts.is_empty() && message.empty_carriers.is_empty();
    (is_bare && message.protocol == Protocol::Two && !message.from_beat && !handoff.is_whole())
        .then_some(message)
}

/// Whether the task looks like a scheduler's: then nothing was to be handed over.
pub fn is_scheduled(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    // What needs no look at all tasks comes first: most are handed over.
    let may_be = handoff.producer.is_none() && handoff.contexts().next().is_none() && !handoff.is_whole();
    may_be && known.is_scheduled(handoff)
}

/// Whether another task published the message.
pub fn is_nested(message: &Message) -> bool {
    message.parent_id.as_ref().is_some_and(|parent| *parent != message.id)
}

/// Whether the message's `origin`, `gen<pid>@<host>`, is a process of the service.
pub fn published_by(service: &str, message: &Message, known: &Known<'_>) -> bool {
    let Some(origin) = message.origin.as_deref() else { return false };
    known
        .services
        .get(service)
        .is_some_and(|service| service.processes.iter().any(|(process, _)| process.is_origin(origin)))
}

/// Whether the very process that published the message sends spans.
pub fn sends_spans(message: &Message, known: &Known<'_>) -> bool {
    message.origin.as_deref().is_some_and(|origin| process_at(origin, known).is_some())
}

/// The process of an `origin`, by its number and its host, where it sends spans.
pub fn process_at<'k>(origin: &str, known: &'k Known<'_>) -> Option<(&'k Process, &'k Activity)> {
    let mut processes = known.services.values().flat_map(|service| &service.processes);
    // Of those that tell no number, any of the host may be it.
    let is_told = |process: &Process| process.pid.is_some() && process.is_origin(origin);
    processes.find(|(process, _)| is_told(process)).map(|(process, activity)| (*process, *activity))
}
