use std::collections::BTreeSet;
use std::time::Duration;

use crate::diagnosis::advice::celery;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::evidence::{Broker, Handoff, Look, Presence};
use crate::model::MessageState;

diagnosis! {
    /// ## What it means
    /// A worker is connected, and none takes from this queue: the task is
    /// routed to a queue that no worker was told to consume.
    ///
    /// ## What shows it
    /// In two looks the same messages wait in a queue of which workers hold
    /// nothing and from which nothing has gone, while a worker is bound. Never
    /// certain: one long task may hold all that a worker would take. So a watch
    /// waits for two minutes, and ten where a worker is seen to be busy, with this
    /// queue or another; of a watch that ends before, and of two saved looks that
    /// lie less apart, it is a hint.
    ///
    /// ## How to fix it
    /// Let a worker take from the queue too, beside those that it takes from now. Or
    /// look at `task_routes` and `task_default_queue` where the task is published.
    pub static NO_CONSUMER_FOR_QUEUE = {
        code: "TL702",
        slug: "no-consumer-for-queue",
        station: None,
        severity: Warning,
        summary: "a worker is connected, but none takes from this queue",
        fixes: || celery::consume_from("orders", &BTreeSet::from(["celery"])),
        check: Handoff(check),
    }
}

/// A worker with nothing else to do would have taken a message by then.
const IDLE: Duration = Duration::from_mins(2);

/// So would a worker that is busy with something else, unless its tasks are long.
const BUSY: Duration = Duration::from_mins(10);

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    let (Some(delivery), Some(broker)) = (handoff.delivery, known.broker_of(handoff)) else {
        return Judgment::Clean;
    };
    if handoff.presence != Presence::Waiting(MessageState::Ready) || delivery.message.redelivered {
        return Judgment::Clean;
    }
    let Some(last) = broker.last().filter(|look| look.has_worker()) else { return Judgment::Clean };
    let queue = &delivery.message.queue;
    let waited = broker.looks().iter().rev().skip(1).take_while(|look| look.at >= delivery.first().at).last();
    let Some(first) = waited else { return Judgment::Clean };
    let since = last.at.since(first.at);
    let needed = if is_busy(broker, first, last, known) {
        BUSY
    } else if known.is_live {
        IDLE
    } else {
        // There will be no later look: whoever saved the evidence had waited long enough.
        known.evidence.settling_time()
    };
    if since < needed {
        return Judgment::Clean;
    }
    let (Some(then), Some(now)) = (first.queues.get(queue), last.queues.get(queue)) else {
        return Judgment::Clean;
    };
    if now.unacked > 0
        || then.unacked > 0
        || now.ready < then.ready
        || known.flow().took_from(broker, queue, first.at)
    {
        return Judgment::Clean;
    }
    let found = if since < IDLE { Occurrence::possible() } else { Occurrence::likely() };
    found
        .about(handoff)
        .quote(quote::fact(
            &**queue,
            format!("{} ready at {}, {} at {}; workers hold none", then.ready, first.at, now.ready, last.at),
        ))
        .quote(quote::fact("_kombu.binding.celery.pidbox", "a worker is bound"))
        .needs("a later look: a busy worker's backlog moves")
        .mend(celery::consume_from(queue, &known.flow().taken_queues(broker)))
        .into()
}

/// Whether a worker of this broker may be busy with something else: it holds messages of
/// any queue, has taken some since, or a task has started and is not done.
fn is_busy(broker: &Broker, first: &Look, last: &Look, known: &Known<'_>) -> bool {
    let holds = |look: &Look| look.queues.values().any(|queue| queue.unacked > 0);
    holds(first)
        || holds(last)
        || known.flow().took_anything(broker, first.at)
        || known.flow().has_started_task()
}
