//! How much came so far and what the queues hold, for the board of the live views.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::evidence::Evidence;
use crate::live::Session;
use crate::view::board::{Figures, QueueNow};

/// How often the figures are taken: each time, the evidence is locked for a moment.
const EVERY: Duration = Duration::from_secs(1);
/// Up to so many tasks are asked how long their messages have been waiting.
const TASKS: usize = 20_000;

/// Figures that are taken about once a second.
#[derive(Default)]
pub struct TimedFigures {
    /// When they were taken last, since the session began.
    taken: Option<Duration>,
}

impl TimedFigures {
    /// The figures as of now, unless they were taken a moment ago.
    pub fn take_if_due(&mut self, session: &Session, now: Duration) -> Option<Figures> {
        if self.taken.is_some_and(|taken| now.saturating_sub(taken) < EVERY) {
            return None;
        }
        self.taken = Some(now);
        Some(figures(&session.watch().evidence))
    }
}

fn figures(evidence: &Evidence) -> Figures {
    let last_look =
        |broker: &str| evidence.brokers.get(broker).and_then(|broker| broker.last()).map(|look| look.at);
    let looks = evidence.brokers.iter().filter_map(|broker| Some((&broker.name, broker.last()?)));
    let looks: Vec<_> = looks.collect();
    let anything_waits = looks.iter().flat_map(|(_, look)| look.queues.values()).any(|depth| depth.ready > 0);
    let oldest = if anything_waits {
        evidence.tasks.oldest_waiting(TASKS, last_look).unwrap_or_default()
    } else {
        BTreeMap::new()
    };
    let oldest: BTreeMap<_, _> =
        oldest.iter().map(|((broker, queue), waited)| ((&**broker, &**queue), *waited)).collect();
    let queues = looks.iter().flat_map(|(broker, look)| {
        look.queues.iter().map(|(name, depth)| QueueNow {
            broker: broker.to_string(),
            name: name.to_string(),
            ready: depth.ready,
            held: depth.unacked,
            workers: look.workers.as_ref().map(|workers| workers.len() as u64),
            oldest: (depth.ready > 0).then(|| oldest.get(&(&**broker, &**name)).copied()).flatten(),
        })
    });
    Figures {
        spans: evidence.span_account().received,
        traces: evidence.spans.trace_count(),
        queues: queues.collect(),
    }
}
