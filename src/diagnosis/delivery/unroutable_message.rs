use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, export, quote};
use crate::evidence::Handoff;

diagnosis! {
    /// ## What it means
    /// The task was published to an exchange to which no queue is bound. kombu
    /// drops such a message without a word, and the producer's span looks
    /// perfect.
    ///
    /// ## What shows it
    /// A PRODUCER span whose destination is neither bound nor a list, in any
    /// look at the broker, and whose message was never seen.
    ///
    /// ## How to fix it
    /// ```python
    /// app.conf.task_queues = [Queue("orders", Exchange("shop", type="topic"), routing_key="orders.#")]
    /// ```
    ///
    /// A worker declares its queues when it starts: publish after it did, or
    /// let the producer declare them too.
    pub static UNROUTABLE_MESSAGE = {
        code: "TL703",
        slug: "unroutable-message",
        station: None,
        severity: Error,
        summary: "the task was published to a destination to which no queue is bound: kombu dropped the message",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let Some(producer) = handoff.producer else { return Verdict::Clean };
    if handoff.delivery.is_some() || handoff.was_consumed() || known.evidence.brokers.is_empty() {
        return Verdict::Clean;
    }
    let detail = producer.span.detail();
    let Some(destination) = detail.destination.as_deref() else { return Verdict::Clean };
    let brokers = || known.evidence.brokers.iter();
    let looked_after = brokers().any(|broker| broker.looked_everywhere_since() >= Some(producer.span.end));
    let is_known = brokers().any(|broker| broker.routes(detail.exchange.as_deref(), destination));
    // Messages of this very producer lie in the broker that was looked at, so
    // it is the right one.
    let is_its_broker = known.published_to_a_seen_broker(producer.span.service());
    if !looked_after || is_known || !is_its_broker {
        return Verdict::Clean;
    }
    Occurrence::likely()
        .about(handoff)
        .quote(quote::span(producer))
        .quote(quote::fact("messaging.destination", destination))
        .quote(quote::fact(
            format!("_kombu.binding.{}", detail.exchange.as_deref().unwrap_or(destination)),
            "no queue is bound, and there is no such list",
        ))
        .unless(&export::WORKER_SILENT, "it may have gone to another broker, whose worker is silent")
        .fix("app.conf.task_queues = [Queue(\"<queue>\", Exchange(\"<exchange>\", type=\"topic\"), routing_key=\"<key>\")]")
        .into()
}
