use std::time::Duration;

use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Handoff, Presence};
use crate::model::{MessageState, Severity};

diagnosis! {
    /// ## What it means
    /// Messages wait, and no worker is connected to the broker.
    ///
    /// ## What shows it
    /// A message in its list, and no member in `_kombu.binding.celery.pidbox`,
    /// in which each live worker has one. From one look at a queue it is a
    /// note: the worker may be about to start. A warning where a message is
    /// known to have waited.
    ///
    /// ## How to fix it
    /// Start a worker, and check that it uses the same broker URL and the same
    /// database number.
    pub static NO_WORKER = {
        code: "TL701",
        slug: "no-worker",
        station: None,
        severity: Warning,
        summary: "messages wait, and no worker is connected to the broker",
        fixes: || celery::start_a_worker("celery", "127.0.0.1:6379/0").into(),
        check: Handoff(check),
    }
}

/// By then a worker that is there would have taken a message.
const SETTLED: Duration = Duration::from_secs(6);

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let (Some(delivery), Some(broker)) = (handoff.delivery, known.broker_of(handoff)) else {
        return Judgment::Clean;
    };
    let is_ready = handoff.presence == Presence::Waiting(MessageState::Ready);
    let Some(look) = broker.last().filter(|look| is_ready && look.has_no_worker()) else {
        return Judgment::Clean;
    };
    let (first, last) = (delivery.first().at, delivery.last().at);
    // A worker without remote control binds no mailbox. It shows in the messages that it
    // holds, and in those that have gone since.
    let is_held = look.queues.values().any(|queue| queue.unacked > 0);
    if is_held || known.flow().took_from(broker, &delivery.message.queue, first) {
        return Judgment::Clean;
    }
    // A message that is not due yet has not waited, however long it has been there.
    let is_due = delivery.message.eta.is_none_or(|eta| eta <= known.now);
    let waited = (first < last && last.since(first) >= known.evidence.settling_time())
        || handoff.producer.is_some_and(|producer| known.now.since(producer.span.end) > SETTLED);
    let has_waited = is_due && waited;
    let found = Occurrence::likely()
        .about(handoff)
        .quote(quote::fact(quote::place(&delivery.message), "waits"))
        .quote(quote::fact("_kombu.binding.celery.pidbox", format!("no worker is bound at {}", look.at)))
        .mend(celery::start_a_worker(&delivery.message.queue, &delivery.broker));
    if has_waited {
        return found.into();
    }
    Occurrence { confidence: crate::model::Confidence::Possible, ..found }
        .severity(Severity::Note)
        .needs("a second look: --save two snapshots, and tracelink diagnose both")
        .into()
}
