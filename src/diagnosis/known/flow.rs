//! What moved through the brokers, by one pass over all tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::evidence::{Broker, Evidence, Presence, SpanKey, SpanRef, Task};
use crate::model::{Map, Message, MissingParts, Sampling, Set, SpanKind, TaskStatus, Timestamp, TraceId};

/// What moved through the brokers.
#[derive(Default, Debug)]
pub struct Flow<'e> {
    /// By broker and queue: when a message that is gone by now was last seen.
    taken: Map<(&'e str, &'e str), Timestamp>,
    /// What is known of where each service publishes to.
    sends: Map<&'e str, Sends>,
    /// Whether a Celery worker can take the messages that each service sends.
    completeness: Map<&'e str, Completeness>,
    /// Tasks, by name, whose results are kept.
    with_results: Set<&'e str>,
    /// The start of the first PRODUCER span.
    first_published: Option<Timestamp>,
    /// Workers with a run, by the name that results give them.
    heard_workers: Set<&'e str>,
    /// When results say that a process was killed under a task, in order.
    killed: Vec<Timestamp>,
    /// Whether a task has started and is not done.
    has_started: bool,
    /// Whether a message carries the context of a request or a run itself, as programs
    /// without an instrumentor hand it over.
    by_hand: bool,
    split: Option<RatioSplit>,
}

/// Where a service publishes to, according to all of its tasks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sends {
    /// To a broker that is seen: it has a message of one of them, or leads to its queue
    /// (one that not everybody uses), or holds its result.
    pub to_a_seen_broker: bool,
    /// Elsewhere: one of them ran, though no broker that was looked at leads to its queue.
    pub ran_unseen: bool,
}

/// The messages of one service, by whether a Celery worker can take them.
#[derive(Clone, Copy, Default, Debug)]
struct Completeness {
    /// How many lack nothing.
    whole: u64,
    /// What the others lack.
    missing: MissingParts,
}

impl Completeness {
    fn learn(&mut self, message: &Message) {
        self.whole += u64::from(message.missing.is_empty());
        self.missing = self.missing.iter().chain(message.missing.iter()).collect();
    }
}

/// Runs that were kept and dropped exactly according to the low bits of their trace id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RatioSplit {
    pub kept: u64,
    pub dropped: u64,
    pub highest_kept: u64,
    pub lowest_dropped: u64,
}

impl<'e> Flow<'e> {
    pub(super) fn of(evidence: &'e Evidence, is_live: bool) -> Self {
        let mut flow = Self::default();
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for task in evidence.tasks.iter().filter(|task| task.is_celery_task(evidence)) {
            let mut is_gone = false;
            let unseen = task.producers.first().filter(|_| task.messages.is_empty());
            if let Some(producer) = unseen.and_then(|key| evidence.spans.get(*key)) {
                is_gone = evidence.presence_of_unseen(producer.span) == Presence::Gone;
            }
            for delivery in &task.messages {
                for sender in senders(task, &delivery.message, evidence) {
                    flow.completeness.entry(sender).or_default().learn(&delivery.message);
                }
                if evidence.presence_of(delivery) == Presence::Gone {
                    is_gone = true;
                    let last = flow.taken.entry((&*delivery.broker, &*delivery.message.queue)).or_default();
                    *last = (*last).max(delivery.last().at);
                }
            }
            let worker = task.result.as_ref().and_then(|result| result.worker.as_deref());
            flow.heard_workers.extend(worker.filter(|_| !task.consumers.is_empty()));
            let killed = task.result.as_ref().filter(|result| result.is_of_a_killed_process());
            flow.killed.extend(killed.and_then(|result| result.done));
            let status = task.result.as_ref().map(|result| &result.status);
            flow.has_started |= status == Some(&TaskStatus::Started);
            if status.is_some_and(TaskStatus::is_final) {
                flow.with_results.insert(task.name(evidence));
            }
            flow.by_hand = flow.by_hand
                || task.contexts().filter_map(|context| evidence.spans.get(context)).any(is_entry);
            for producer in task.producers.iter().filter_map(|key| evidence.spans.get(*key)) {
                let start = producer.span.start;
                flow.first_published = Some(flow.first_published.map_or(start, |first| first.min(start)));
                let sends = flow.sends.entry(producer.span.service()).or_default();
                sends.learn(task, producer, evidence);
            }
            let Some(trace) = sampled_trace(task) else { continue };
            let has_run = task
                .result
                .as_ref()
                .is_some_and(|result| matches!(result.status, TaskStatus::Success | TaskStatus::Failure));
            if !task.consumers.is_empty() {
                kept.push(trace.low64());
            } else if (has_run || is_gone) && evidence.has_task_settled(task, is_live) {
                dropped.push(trace.low64());
            }
        }
        flow.killed.sort_unstable();
        flow.split = RatioSplit::of(&kept, &dropped);
        flow
    }

    /// Whether a message left this queue at or after `since`.
    pub fn took_from(&self, broker: &Broker, queue: &str, since: Timestamp) -> bool {
        self.taken.get(&(&*broker.name, queue)).is_some_and(|last| *last >= since)
    }

    /// Whether a message left any queue of this broker at or after `since`.
    pub fn took_anything(&self, broker: &Broker, since: Timestamp) -> bool {
        self.taken.iter().any(|((name, _), last)| **name == *broker.name && *last >= since)
    }

    /// The queues of this broker from which messages were taken.
    pub fn taken_queues(&self, broker: &Broker) -> BTreeSet<&'e str> {
        let taken = self.taken.keys().filter(|(name, _)| *name == &*broker.name);
        taken.map(|(_, queue)| *queue).collect()
    }

    /// Whether a run of this worker was seen. The name is the one in results.
    pub fn is_heard(&self, worker: &str) -> bool {
        self.heard_workers.contains(worker)
    }

    /// Whether some program hands over the context of a request or of a run itself. Such a
    /// span stays open for as long as the request or the run does.
    pub const fn hands_over_entries(&self) -> bool {
        self.by_hand
    }

    /// Whether a task is known to have started, and not to be done.
    pub const fn has_started_task(&self) -> bool {
        self.has_started
    }

    /// When the first task of all was published, by its PRODUCER span.
    pub const fn first_published(&self) -> Option<Timestamp> {
        self.first_published
    }

    /// Whether a process was killed under a task at this time or so soon after.
    pub fn kills_within(&self, time: Timestamp, soon: Duration) -> bool {
        let first = self.killed.partition_point(|killed| *killed < time);
        self.killed.get(first).is_some_and(|killed| killed.since(time) <= soon)
    }

    /// Whether results are kept for this task. Then a task without a result is not
    /// finished.
    pub fn keeps_results_of(&self, task: &str) -> bool {
        self.with_results.contains(task)
    }

    /// The threshold of a ratio sampler in the workers, if there is one.
    pub const fn ratio_split(&self) -> Option<RatioSplit> {
        self.split
    }

    /// Where a service publishes to, as far as its other tasks show it.
    pub fn sends_of(&self, service: &str) -> Sends {
        self.sends.get(service).copied().unwrap_or_default()
    }

    /// What all messages of this service that were seen lack, if no Celery worker can take
    /// a message without it.
    pub fn always_lacks(&self, service: &str) -> Option<MissingParts> {
        let sent = self.completeness.get(service)?;
        (sent.whole == 0).then_some(sent.missing).filter(|missing| !missing.is_empty())
    }
}

impl Sends {
    /// The queue, exchange and routing key of every application that sets none.
    const DEFAULT: &str = "celery";

    fn learn(&mut self, task: &Task, producer: SpanRef<'_>, evidence: &Evidence) {
        let detail = producer.span.attributes();
        let destination = detail.destination.as_deref().unwrap_or_default();
        let exchange = detail.exchange.as_deref().filter(|exchange| !exchange.is_empty());
        let is_routed = evidence.brokers.iter().any(|broker| broker.routes(exchange, destination));
        let is_named = exchange.unwrap_or(destination) != Self::DEFAULT;
        // A result alone says nothing about the broker: the backend is often another
        // server.
        let has_run = task.result.is_some() || !task.consumers.is_empty();
        self.to_a_seen_broker |=
            !task.messages.is_empty() || (is_routed && (is_named || task.result.is_some()));
        self.ran_unseen |= !is_routed && task.messages.is_empty() && has_run;
    }
}

/// The services that are known to have sent a message: the one of its PRODUCER span, and
/// those of the spans that its contexts name.
fn senders<'e>(task: &Task, message: &Message, evidence: &'e Evidence) -> BTreeSet<&'e str> {
    let contexts = message.contexts.iter().filter_map(|found| found.context());
    let contexts = contexts.map(|context| SpanKey { trace_id: context.trace_id, span_id: context.span_id });
    let spans = task.producers.iter().copied().chain(contexts).filter_map(|key| evidence.spans.get(key));
    spans.map(|found| found.span.service()).collect()
}

fn is_entry(found: SpanRef<'_>) -> bool {
    matches!(found.span.kind, SpanKind::Server | SpanKind::Consumer)
}

/// The trace that a task was handed, where its sender sampled it.
fn sampled_trace(task: &Task) -> Option<TraceId> {
    if let Some(producer) = task.producers.iter().min() {
        return Some(producer.trace_id);
    }
    let contexts = &task.messages.first()?.message.contexts;
    let context = contexts.iter().find_map(|carried| carried.context())?;
    (context.sampling == Sampling::Sampled).then_some(context.trace_id)
}

impl RatioSplit {
    /// Below this probability a split is not taken for chance.
    const ACCIDENT: f64 = 0.01;

    fn of(kept: &[u64], dropped: &[u64]) -> Option<Self> {
        let (highest_kept, lowest_dropped) = (*kept.iter().max()?, *dropped.iter().min()?);
        if highest_kept >= lowest_dropped {
            return None;
        }
        // Among all ways to pick the kept ones, only one is sorted.
        let mut ways = 1.0;
        for (number, _) in kept.iter().enumerate() {
            #[allow(clippy::cast_precision_loss, reason = "a chance, not a count")]
            let (total, number) = ((kept.len() + dropped.len()) as f64, number as f64);
            ways *= (total - number) / (number + 1.0);
        }
        (1.0 / ways < Self::ACCIDENT).then_some(Self {
            kept: kept.len() as u64,
            dropped: dropped.len() as u64,
            highest_kept,
            lowest_dropped,
        })
    }
}
