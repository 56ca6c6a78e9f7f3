use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{Broker, Handoff, Look};
use crate::model::{Confidence, Severity};

diagnosis! {
    /// ## What it means
    /// The task was published to an exchange to which no queue is bound. kombu
    /// drops such a message without a word, and the producer's span looks
    /// perfect.
    ///
    /// ## What shows it
    /// A PRODUCER span that names an exchange to which no queue is bound, in any
    /// look at the broker, and whose message was never seen.
    ///
    /// Whether the broker that was looked at is the one that the task was
    /// published to shows by what else the producer sent there: a message, a
    /// queue of its own, a result. Where nothing does, this is a hint and a
    /// warning.
    ///
    /// A task that was published without an exchange is not dropped: kombu puts
    /// it into the list that its routing key names. So a span that names none is
    /// a hint at most.
    ///
    /// ## How to fix it
    /// Bind a queue to the exchange, by the key that the message has. A worker
    /// declares its queues when it starts: publish after it did, or let the producer
    /// declare them too.
    ///
    /// ## What it is not
    /// A producer of which another task ran, though its queue is in no broker
    /// that was looked at: it publishes to another one.
    pub static UNROUTABLE_MESSAGE = {
        code: "TL703",
        slug: "unroutable-message",
        station: None,
        severity: Error,
        summary: "the task was published to a destination to which no queue is bound: kombu dropped the message",
        fixes: || celery::bind_a_queue(Some("shop"), "orders.new"),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let Some(producer) = handoff.instrumented_producer() else { return Judgment::Clean };
    if handoff.delivery.is_some() || handoff.was_consumed() {
        return Judgment::Clean;
    }
    let detail = producer.span.attributes();
    let Some(destination) = detail.destination.as_deref() else { return Judgment::Clean };
    let exchange = detail.exchange.as_deref().filter(|exchange| !exchange.is_empty());
    let brokers = || known.evidence.brokers.iter();
    let looked_after = |broker: &Broker| broker.looked_everywhere_since() >= Some(producer.span.end);
    let is_known = brokers().any(|broker| broker.routes(exchange, destination));
    let sends = known.flow().sends_of(producer.span.service());
    if is_known || !brokers().any(looked_after) || sends.ran_unseen {
        return Judgment::Clean;
    }
    let found = Occurrence::likely()
        .about(handoff)
        .quote(quote::span(producer))
        .quote(quote::fact("messaging.destination", destination))
        .mend(celery::bind_a_queue(exchange, destination));
    let hint = |found: Occurrence| {
        Occurrence { confidence: Confidence::Possible, ..found }.severity(Severity::Warning)
    };
    let Some(exchange) = exchange else {
        if !sends.to_a_seen_broker {
            return Judgment::Clean;
        }
        return hint(found)
            .variant("no-exchange")
            .says("the task was published to a destination to which no queue is bound and which is no list: kombu dropped the message, if it went through an exchange")
            .quote(quote::fact("celery.exchange", "not told"))
            .unless(slug::WORKER_SILENT, "without an exchange it would lie in a list: it may have gone to another broker, whose worker is silent")
            .needs("whether the producer publishes to another broker too")
            .into();
    };
    let found = found
        .quote(quote::fact(format!("_kombu.binding.{exchange}"), "no queue is bound"))
        .unless(slug::WORKER_SILENT, "it may have gone to another broker, whose worker is silent");
    if sends.to_a_seen_broker {
        return found.into();
    }
    // Nothing else of this producer was seen anywhere. If there is one broker, and a Celery
    // worker is at work there, the question is worth raising.
    let is_only_one = brokers().count() == 1
        && brokers().all(|broker| looked_after(broker) && broker.last().is_some_and(Look::has_worker));
    if !is_only_one {
        return Judgment::Clean;
    }
    hint(found)
        .variant("unconfirmed")
        .says("the task was published to an exchange to which no queue is bound: kombu dropped the message, if this broker is the producer's")
        .needs("whether the broker that was looked at is the one that the producer publishes to (broker_url)")
        .into()
}
