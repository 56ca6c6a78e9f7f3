use super::broker_of;
use crate::diagnosis::{Known, Occurrence, Verdict, diagnosis, quote};
use crate::evidence::{Fate, Handoff};
use crate::model::MessageState;

diagnosis! {
    /// ## What it means
    /// A worker is connected, and none takes from this queue: the task is
    /// routed to a queue that no worker was told to consume.
    ///
    /// ## What shows it
    /// In two looks the same messages wait in a queue of which workers hold
    /// nothing and from which nothing has gone, while a worker is bound. Likely:
    /// a busy worker's backlog moves, but one long task may hold all of it.
    ///
    /// ## How to fix it
    /// ```sh
    /// celery -A app worker -Q celery,orders
    /// ```
    ///
    /// or look at `task_routes` and `task_default_queue`.
    pub static NO_CONSUMER_FOR_QUEUE = {
        code: "TL702",
        slug: "no-consumer-for-queue",
        station: None,
        severity: Warning,
        summary: "a worker is connected, and none takes from this queue",
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Verdict {
    let (Some(delivery), Some(broker)) = (handoff.delivery, broker_of(handoff, known)) else {
        return Verdict::Clean;
    };
    if handoff.fate != Fate::Waiting(MessageState::Ready) || delivery.message.redelivered {
        return Verdict::Clean;
    }
    let Some(last) = broker.last().filter(|look| look.has_worker()) else { return Verdict::Clean };
    let queue = &delivery.message.queue;
    let waited = broker.looks().iter().rev().skip(1).take_while(|look| look.at >= delivery.first().at).last();
    let Some(first) = waited.filter(|first| last.at.since(first.at) >= known.evidence.patience) else {
        return Verdict::Clean;
    };
    let (Some(then), Some(now)) = (first.queues.get(queue), last.queues.get(queue)) else {
        return Verdict::Clean;
    };
    if now.unacked > 0
        || then.unacked > 0
        || now.ready < then.ready
        || known.took_from(broker, queue, first.at)
    {
        return Verdict::Clean;
    }
    Occurrence::likely()
        .about(handoff)
        .quote(quote::fact(
            &**queue,
            format!("{} ready at {}, {} at {}; workers hold none", then.ready, first.at, now.ready, last.at),
        ))
        .quote(quote::fact("_kombu.binding.celery.pidbox", "a worker is bound"))
        .needs("a later look: a busy worker's backlog moves")
        .fix(format!("celery -A <app> worker -Q {}", printable(queue)))
        .into()
}

/// A queue's name as it may stand in a line to paste.
fn printable(queue: &str) -> &str {
    let is_plain = queue.len() <= 64
        && queue.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    if is_plain { queue } else { "<queue>" }
}
