//! A run whose message was not seen, judged by the other messages of its publisher.

use super::publisher::process_at;
use crate::diagnosis::advice::tracelink;
use crate::diagnosis::known::{MessageCounts, is_publisher};
use crate::diagnosis::rule::{Known, Occurrence, quote};
use crate::diagnosis::slug;
use crate::evidence::{Continuity, Handoff, SpanRef};

/// A run that began a trace of its own and whose message was not seen, while the messages
/// of the same process that were seen carry no context.
pub struct UnseenMessage<'h, 'k> {
    run: SpanRef<'h>,
    pub origin: &'h str,
    pub broker: &'k str,
    tally: MessageCounts,
}

impl<'h, 'k> UnseenMessage<'h, 'k> {
    pub fn of(handoff: &Handoff<'h>, known: &Known<'k>) -> Option<Self> {
        let is_first = handoff.attempt == 0 && handoff.producer.is_none() && handoff.delivery.is_none();
        let is_orphaned = handoff.continuity() == Some(Continuity::Orphaned);
        let run =
            handoff.consumer().filter(|run| is_first && is_orphaned && run.span.is_instrumented_run())?;
        let origin = run.span.attributes().celery_hostname.as_deref().filter(|node| is_publisher(node))?;
        let (broker, tally) = known.origins().of_origin(origin)?;
        (tally.without > 0 && tally.with_context == 0).then_some(Self { run, origin, broker, tally })
    }

    /// The finding that the process sends no context, for a message that was not seen. It
    /// joins the finding of those that were.
    pub fn finding(&self, handoff: &Handoff<'_>, known: &Known<'_>, says: &'static str) -> Occurrence {
        let mut found = Occurrence::likely()
            .about(handoff)
            .says(says)
            .quote(quote::span(self.run))
            .quote(quote::fact("celery.hostname", format!("{} published it", self.origin)))
            .quote(quote::fact(
                format!("origin {}", self.origin),
                format!("0 of {} messages that were seen carry a context", self.tally.without),
            ))
            .needs(tracelink::to_see_the_message(known));
        found.origins.insert(self.origin.to_owned());
        found
    }
}

/// What shows that an API published a task without an instrumentor, if neither the message
/// nor a PRODUCER span was seen: either a request itself pushed onto a Redis list, or the
/// run's `celery.hostname` is the process that serves the requests.
pub fn without_instrumentor(handoff: &Handoff<'_>, known: &Known<'_>) -> Option<Occurrence> {
    let is_unsent = handoff.attempt == 0 && handoff.producer.is_none() && handoff.delivery.is_none();
    if !is_unsent || !handoff.was_run() {
        return None;
    }
    let run = handoff.consumer();
    if run.is_some() && handoff.continuity() != Some(Continuity::Orphaned) {
        return None;
    }
    let quoted = |found: Occurrence| {
        found.about(handoff).quote(run.map(quote::span)).quote(handoff.result.map(quote::result))
    };
    let hostname = run.and_then(|run| run.span.attributes().celery_hostname.as_deref());
    if let Some(origin) = hostname.filter(|node| is_publisher(node))
        && let Some((process, activity)) = process_at(origin, known)
        && activity.servers > 0
        && activity.producers == 0
    {
        let mut found = quoted(Occurrence::likely())
            .variant("own-process")
            .says("the run began a trace of its own, and the process that published it serves requests but sends no PRODUCER span: nothing in it instruments Celery")
            .service(&*process.service)
            .quote(quote::fact("celery.hostname", format!("{origin} published it")))
            .quote(quote::fact(
                format!("spans of {}", process.service),
                format!("{} SERVER spans of this process, no PRODUCER span", activity.servers),
            ))
            .unless(slug::PROPAGATOR_MISMATCH, "it may hand a context over by hand, in a form that the worker does not read")
            .needs(tracelink::to_see_the_message(known));
        found.origins.insert(origin.to_owned());
        return Some(found);
    }
    let taken = run.map(|run| run.span.start).or_else(|| handoff.result?.done)?;
    // A service that publishes with an instrumentor may also push onto lists of its own.
    let push = known
        .requests()
        .bare_push_before(taken)
        .filter(|push| !known.services().instruments_celery(push.span.service()))?;
    Some(
        quoted(Occurrence::likely())
            .variant("push")
            .says("a request pushed onto a Redis list without a PRODUCER span in between, and a task ran: nothing in the API instruments Celery")
            .service(push.span.service())
            .quote(quote::span(push))
            .unless(slug::PRODUCER_SDK_DISABLED, "another process, without an SDK, may have published it, and the push may have been to a list of the application's own")
            .needs(tracelink::to_see_the_message(known)),
    )
}
