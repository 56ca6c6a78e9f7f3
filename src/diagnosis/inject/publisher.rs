//! Who sent a message, and whether it should have had a context.

use crate::diagnosis::advice::instrumentation::PublisherSeen;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::Known;
use crate::evidence::{Activity, Handoff, Process};
use crate::model::{Message, Protocol};

/// The message of a hand-off that was sent without any context, by a producer
/// that should have sent one.
///
/// A message from beat has no request behind it, so it has nothing to hand over.
pub fn message_without_context<'e>(handoff: &Handoff<'e>) -> Option<&'e Message> {
    let message = handoff.message()?;
    let is_bare = message.contexts.is_empty() && message.empty_carriers.is_empty();
    (is_bare && message.protocol == Protocol::Two && !message.from_beat && !handoff.is_whole())
        .then_some(message)
}

/// Whether the task looks like a scheduler's: then there was nothing to hand over.
pub fn is_scheduled(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    // The cheap checks come first: most messages are handed over with a context.
    let may_be = handoff.producer.is_none() && handoff.contexts().next().is_none() && !handoff.is_whole();
    may_be && known.schedules().includes(handoff)
}

/// Whether another task published the message.
pub fn is_nested(message: &Message) -> bool {
    message.parent_id.as_ref().is_some_and(|parent| *parent != message.id)
}

/// Whether an `origin`, `gen<pid>@<host>`, is a process of the service.
pub fn published_by(service: &str, origin: Option<&str>, known: &Known<'_>) -> bool {
    let Some(origin) = origin else { return false };
    known
        .services()
        .get(service)
        .is_some_and(|service| service.processes.iter().any(|(process, _)| process.is_origin(origin)))
}

/// What was seen of the process that publishes without a context, and how it is set up, if
/// it may belong to one of these services.
pub fn publisher(origin: Option<&str>, services: &[&str], known: &Known<'_>) -> (PublisherSeen, SdkSetup) {
    if let Some((process, activity)) = origin.and_then(|origin| process_at(origin, known)) {
        let seen =
            if activity.producers > 0 { PublisherSeen::Instrumented } else { PublisherSeen::SendsSpans };
        return (seen, SdkSetup::of(process));
    }
    let bare = services.iter().copied().find(|service| !known.services().instruments_celery(service));
    let Some(service) = bare else {
        // If nobody sends spans, that this process sends none shows nothing.
        let seen = if known.has_spans() { PublisherSeen::Unseen } else { PublisherSeen::MaySendSpans };
        return (seen, SdkSetup::default());
    };
    let is_its = services.len() == 1 && published_by(service, origin, known);
    let seen = if is_its { PublisherSeen::SendsSpans } else { PublisherSeen::MaySendSpans };
    (seen, known.services().setting_of(Some(service)))
}

/// Whether the very process that published the message sends spans.
pub fn sends_spans(message: &Message, known: &Known<'_>) -> bool {
    message.origin.as_deref().is_some_and(|origin| process_at(origin, known).is_some())
}

/// The process of an `origin`, by its pid and its host, if it sends spans.
pub fn process_at<'k>(origin: &str, known: &'k Known<'_>) -> Option<(&'k Process, &'k Activity)> {
    let mut processes = known.services().processes();
    // Of the processes that report no pid, any on the host may be it.
    let is_told = |process: &Process| process.pid.is_some() && process.is_origin(origin);
    processes.find(|(process, _)| is_told(process))
}
