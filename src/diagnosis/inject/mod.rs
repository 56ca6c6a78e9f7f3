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

use crate::diagnosis::known::{Tally, is_publisher};
use crate::diagnosis::{Known, Occurrence, quote};
use crate::evidence::{Continuity, Handoff, SpanRef};
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

/// A run that began a trace of its own and whose message was not seen, while
/// those that were seen of the same process carry no context.
struct Unseen<'h, 'k> {
    run: SpanRef<'h>,
    origin: &'h str,
    broker: &'k str,
    tally: Tally,
}

impl<'h, 'k> Unseen<'h, 'k> {
    fn of(handoff: &Handoff<'h>, known: &Known<'k>) -> Option<Self> {
        let is_first = handoff.attempt == 0 && handoff.producer.is_none() && handoff.delivery.is_none();
        let is_orphaned = handoff.continuity() == Some(Continuity::Orphaned);
        let run =
            handoff.consumer().filter(|run| is_first && is_orphaned && run.span.is_instrumented_run())?;
        let origin = run.span.detail().celery_hostname.as_deref().filter(|node| is_publisher(node))?;
        let (broker, tally) = known.origins().of_origin(origin)?;
        (tally.without > 0 && tally.with_context == 0).then_some(Self { run, origin, broker, tally })
    }

    /// That the process sends no context, of a message that was not seen.
    fn finding(&self, handoff: &Handoff<'_>, known: &Known<'_>, says: &str) -> Occurrence {
        let mut found = Occurrence::likely()
            .about(handoff)
            .variant("unseen")
            .says(says)
            .quote(quote::span(self.run))
            .quote(quote::fact("celery.hostname", format!("{} published it", self.origin)))
            .quote(quote::fact(
                format!("origin {}", self.origin),
                format!("0 of {} messages that were seen with context", self.tally.without),
            ))
            .needs(known.to_see_the_message());
        found.origins.insert(self.origin.to_owned());
        found
    }
}

/// Whether the task looks like a scheduler's: then nothing was to be handed over.
fn is_scheduled(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    // What needs no look at all tasks comes first: most are handed over.
    let may_be = handoff.producer.is_none() && handoff.contexts().next().is_none() && !handoff.is_whole();
    may_be && known.is_scheduled(handoff.task)
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
