//! 1xx: the producer did not hand the context over.

mod context_lost_before_publish;
mod context_lost_on_retry;
mod context_not_forwarded;
mod empty_carrier;
mod incoming_context_forwarded;
mod producer_not_instrumented;
mod producer_propagator_omits_trace;
mod producer_sdk_disabled;
mod protocol_1;
mod request_not_instrumented;
mod some_producers_not_instrumented;
mod stale_carrier;

pub use context_lost_before_publish::CONTEXT_LOST_BEFORE_PUBLISH;
pub use context_lost_on_retry::{CONTEXT_LOST_ON_RETRY, of_span as of_retry};
pub use context_not_forwarded::CONTEXT_NOT_FORWARDED;
pub use empty_carrier::EMPTY_CARRIER;
pub use incoming_context_forwarded::INCOMING_CONTEXT_FORWARDED;
pub use producer_not_instrumented::PRODUCER_NOT_INSTRUMENTED;
pub use producer_propagator_omits_trace::PRODUCER_PROPAGATOR_OMITS_TRACE;
pub use producer_sdk_disabled::PRODUCER_SDK_DISABLED;
pub use protocol_1::PROTOCOL_1;
pub use request_not_instrumented::REQUEST_NOT_INSTRUMENTED;
pub use some_producers_not_instrumented::SOME_PRODUCERS_NOT_INSTRUMENTED;
pub use stale_carrier::STALE_CARRIER;

use crate::evidence::Handoff;
use crate::model::{Message, Protocol};

/// The message of a hand-off that was sent without any context, by a producer
/// that should have sent one.
///
/// A message of beat has no request behind it, and so nothing to hand over.
fn message_without_context<'e>(handoff: &Handoff<'e>) -> Option<&'e Message> {
    let message = handoff.message()?;
    let is_bare = message.contexts.is_empty() && message.empty_carriers.is_empty();
    (is_bare && message.protocol == Protocol::Two && !message.from_beat && !handoff.is_whole())
        .then_some(message)
}

/// Whether another task published the message.
fn is_nested(message: &Message) -> bool {
    message.parent_id.as_ref().is_some_and(|parent| *parent != message.id)
}

/// What instruments a publishing process.
const INSTRUMENT: [&str; 2] = [
    "from opentelemetry.instrumentation.celery import CeleryInstrumentor",
    "CeleryInstrumentor().instrument()        # in the process that publishes, too",
];
