//! Who sent a message, and whether it should have had a context.

use crate::diagnosis::rule::Known;
use crate::evidence::Handoff;
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
