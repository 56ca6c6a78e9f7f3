//! What became of a message, as far as a broker shows it.

use std::time::Duration;

use crate::evidence::Evidence;
use crate::evidence::spans::StoredSpan;
use crate::evidence::tasks::Delivery;
use crate::model::MessageState;

/// What became of the message, as far as the broker shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// The last look still found it.
    Waiting(MessageState),
    /// A later, complete look did not find it. Perhaps no look ever did: then its queue was
    /// read to its end after it was published.
    Gone,
    Unknown,
}

impl Evidence {
    /// What became of a message, as far as its broker shows it.
    pub fn presence_of(&self, delivery: &Delivery) -> Presence {
        let Some(broker) = self.brokers.get(&delivery.broker) else { return Presence::Unknown };
        let last = delivery.last();
        if broker.last().is_some_and(|look| look.at == last.at) {
            return Presence::Waiting(last.state);
        }
        if broker.shows_gone(&delivery.message.queue, last.at) { Presence::Gone } else { Presence::Unknown }
    }

    /// What became of a message that was never seen, according to its PRODUCER span: if its
    /// queue is bound, and a later look read that queue to its end, a worker has taken it.
    pub fn presence_of_unseen(&self, producer: &StoredSpan) -> Presence {
        /// How far the publisher's clock may be behind the broker's.
        const SKEW: Duration = Duration::from_secs(5);
        let detail = producer.attributes();
        // Counted messages are not known by their ids.
        let Some(destination) = detail.destination.as_deref().filter(|_| self.class_counts.counted() == 0)
        else {
            return Presence::Unknown;
        };
        let exchange = detail.exchange.as_deref().filter(|exchange| !exchange.is_empty());
        let sent = producer.end.after(SKEW);
        let was_taken = self.brokers.iter().any(|broker| broker.shows_taken(exchange, destination, sent));
        if was_taken { Presence::Gone } else { Presence::Unknown }
    }
}
