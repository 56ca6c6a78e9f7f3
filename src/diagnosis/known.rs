//! Evidence, with the populations that diagnoses compare a hand-off against.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::evidence::{Broker, Evidence, Fate, Handoff, Service, SpanKey, SpanRef, Task};
use crate::model::{Message, Sampling, SpanKind, TaskStatus, Timestamp, TraceId};

/// What diagnoses are given: the evidence, the clock, and the aggregates over
/// it. They are made once for a round of judging, not once for a hand-off.
#[derive(Debug)]
pub struct Known<'e> {
    pub evidence: &'e Evidence,
    /// The clock of the evidence: never the time of day.
    pub now: Timestamp,
    pub services: BTreeMap<&'e str, Service<'e>>,
    pub origins: Origins<'e>,
    /// Hand-made consumer roots by the task whose name theirs contains.
    orphans: BTreeMap<&'e str, Vec<SpanRef<'e>>>,
    /// Hand-made consumer roots whose name contains no task's.
    nameless_orphans: Vec<SpanRef<'e>>,
    flow: Flow<'e>,
    /// A SERVER span below each span that has one.
    servers: FxHashMap<SpanKey, SpanRef<'e>>,
    /// The hand-made consumer spans of each trace.
    by_hand: FxHashMap<TraceId, Vec<SpanRef<'e>>>,
}

/// What moved through the brokers.
#[derive(Default, Debug)]
struct Flow<'e> {
    /// By broker and queue: when a message that is gone by now was last seen.
    taken: FxHashMap<(&'e str, &'e str), Timestamp>,
    /// Services whose messages were seen in a broker.
    seen_publishing: BTreeSet<&'e str>,
    split: Option<RatioSplit>,
}

/// Runs that were kept and dropped exactly by the low bits of their trace id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RatioSplit {
    pub kept: u64,
    pub dropped: u64,
    pub highest_kept: u64,
    pub lowest_dropped: u64,
}

impl<'e> Known<'e> {
    /// How many of the roots that may be a hand-off's are looked at.
    const LOOKALIKES: usize = 10;

    pub fn of(evidence: &'e Evidence, now: Timestamp) -> Self {
        let mut known = Self {
            evidence,
            now,
            services: evidence.processes.services(),
            origins: Origins::of(evidence),
            orphans: BTreeMap::new(),
            nameless_orphans: Vec::new(),
            flow: Flow::of(evidence),
            servers: FxHashMap::default(),
            by_hand: FxHashMap::default(),
        };
        known.file_spans();
        known.file_orphans();
        known
    }

    /// One pass over all spans, so that no diagnosis looks through a trace for
    /// each of its hand-offs.
    fn file_spans(&mut self) {
        for trace in self.evidence.spans.traces() {
            for span in &trace.spans {
                let found = SpanRef { trace, span };
                if span.kind == SpanKind::Server
                    && let Some(parent) = span.parent
                {
                    let below =
                        self.servers.entry(SpanKey { trace_id: trace.id, span_id: parent }).or_insert(found);
                    if (span.start, span.id) < (below.span.start, below.span.id) {
                        *below = found;
                    }
                }
                if span.kind == SpanKind::Consumer && !span.is_instrumented_run() {
                    self.by_hand.entry(trace.id).or_default().push(found);
                }
            }
        }
        for found in self.by_hand.values_mut() {
            found.sort_by_key(|found| (found.span.start, found.span.id));
        }
    }

    /// The first SERVER span whose parent is this span.
    pub fn server_below(&self, parent: SpanKey) -> Option<SpanRef<'e>> {
        self.servers.get(&parent).copied()
    }

    /// The hand-made consumer spans of a trace, by start.
    pub fn hand_made_consumers(&self, trace: TraceId) -> &[SpanRef<'e>] {
        self.by_hand.get(&trace).map_or(&[], Vec::as_slice)
    }

    fn file_orphans(&mut self) {
        let orphans = self.evidence.tasks.orphans();
        if orphans.is_empty() {
            return;
        }
        let tasks: BTreeSet<&str> = self.evidence.tasks.iter().map(|task| task.name(self.evidence)).collect();
        for (name, keys) in orphans {
            let task = tasks.iter().filter(|task| names_task(name, task)).max_by_key(|task| task.len());
            let mut found: Vec<_> = keys.iter().filter_map(|key| self.evidence.spans.get(*key)).collect();
            match task {
                Some(task) => self.orphans.entry(task).or_default().append(&mut found),
                None => self.nameless_orphans.append(&mut found),
            }
        }
        let by_start = |found: &SpanRef<'_>| (found.span.start, found.span.id);
        self.nameless_orphans.sort_by_key(by_start);
        self.orphans.values_mut().for_each(|found| found.sort_by_key(by_start));
    }

    /// The hand-made consumer roots that may be the run of a hand-off of which
    /// no consumer was seen: those of its task's name and attempt; where none
    /// has a task's name, all of them.
    pub fn lookalikes(&self, handoff: &Handoff<'_>) -> Vec<SpanRef<'e>> {
        if !handoff.consumers.is_empty() || handoff.task.is_empty() {
            return Vec::new();
        }
        let named = self.orphans.get(handoff.task);
        let candidates = named.unwrap_or(&self.nameless_orphans);
        let is_possible = |found: &&SpanRef<'_>| {
            let attempt = found.span.detail().retries;
            let sent = handoff.producer.map(|producer| producer.span.start);
            attempt.is_none_or(|attempt| attempt == handoff.attempt)
                && sent.is_none_or(|sent| found.span.end >= sent)
        };
        candidates.iter().filter(is_possible).take(Self::LOOKALIKES).copied().collect()
    }

    /// The hand-made consumer roots that bear the name of a task.
    pub fn orphans_of(&self, task: &str) -> &[SpanRef<'e>] {
        self.orphans.get(task).map_or(&[], Vec::as_slice)
    }

    /// Tasks whose name a hand-made consumer root bears.
    pub fn orphaned_tasks(&self) -> impl Iterator<Item = &'e str> {
        self.orphans.keys().copied()
    }

    /// The hand-made consumer roots that bear no task's name.
    pub fn nameless_orphans(&self) -> &[SpanRef<'e>] {
        &self.nameless_orphans
    }

    /// Whether any span was received at all.
    pub fn has_spans(&self) -> bool {
        !self.evidence.spans.is_empty()
    }

    /// The services that publish or serve: those that do either, and those
    /// that run no task while others do.
    pub fn producer_side(&self) -> Vec<&'e str> {
        let somebody_consumes = self.services.values().any(Service::consumes);
        let is_producer = |service: &Service<'_>| {
            service.serves() || service.produces() || (somebody_consumes && !service.consumes())
        };
        self.services.iter().filter(|(_, service)| is_producer(service)).map(|(name, _)| *name).collect()
    }

    /// Services that do work without a consumer span around it, and neither
    /// serve nor publish: what a worker without an instrumentor looks like.
    pub fn silent_workers(&self) -> impl Iterator<Item = (&'e str, &Service<'e>)> {
        self.services
            .iter()
            .filter(|(_, service)| {
                !service.consumes()
                    && !service.serves()
                    && !service.produces()
                    && service.total(|activity| activity.work_roots) > 0
            })
            .map(|(name, service)| (*name, service))
    }

    /// Whether a message left this queue at or after `since`.
    pub fn took_from(&self, broker: &Broker, queue: &str, since: Timestamp) -> bool {
        self.flow.taken.get(&(&*broker.name, queue)).is_some_and(|last| *last >= since)
    }

    /// Whether messages of this service lay in a broker that was looked at.
    pub fn published_to_a_seen_broker(&self, service: &str) -> bool {
        self.flow.seen_publishing.contains(service)
    }

    /// The split of a ratio sampler in the workers, where there is one.
    pub fn ratio_split(&self) -> Option<RatioSplit> {
        self.flow.split
    }

    /// Whether anything of the sending or the running side was let go, so that
    /// nothing may be built on its absence.
    pub fn lost_evidence(&self) -> bool {
        self.evidence.evicted_traces > 0
    }
}

impl<'e> Flow<'e> {
    fn of(evidence: &'e Evidence) -> Self {
        let mut flow = Self::default();
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for task in evidence.tasks.iter() {
            let mut is_gone = false;
            for delivery in &task.messages {
                if evidence.fate_of(delivery) == Fate::Gone {
                    is_gone = true;
                    let last = flow.taken.entry((&*delivery.broker, &*delivery.message.queue)).or_default();
                    *last = (*last).max(delivery.last().at);
                }
            }
            let producers = task.producers.iter().filter_map(|key| evidence.spans.get(*key));
            if !task.messages.is_empty() {
                flow.seen_publishing.extend(producers.map(|producer| producer.span.service()));
            }
            let Some(trace) = sampled_trace(task) else { continue };
            let has_run = task
                .result
                .as_ref()
                .is_some_and(|result| matches!(result.status, TaskStatus::Success | TaskStatus::Failure));
            if !task.consumers.is_empty() {
                kept.push(trace.low64());
            } else if has_run || is_gone {
                dropped.push(trace.low64());
            }
        }
        flow.split = RatioSplit::of(&kept, &dropped);
        flow
    }
}

/// The trace that a task was handed, where its sender sampled it.
fn sampled_trace(task: &Task) -> Option<TraceId> {
    if let Some(producer) = task.producers.first() {
        return Some(producer.trace_id);
    }
    let contexts = &task.messages.first()?.message.contexts;
    let context = contexts.iter().find_map(|sighting| sighting.context())?;
    (context.sampling == Sampling::Sampled).then_some(context.trace_id)
}

impl RatioSplit {
    /// The chance at which a split is taken for an accident.
    const ACCIDENT: f64 = 0.01;

    fn of(kept: &[u64], dropped: &[u64]) -> Option<Self> {
        let (highest_kept, lowest_dropped) = (*kept.iter().max()?, *dropped.iter().min()?);
        if highest_kept >= lowest_dropped {
            return None;
        }
        // Of all ways to pick the kept ones among them, only one is sorted.
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

/// Whether a span's name speaks of a task: its full name, or the last part of it.
fn names_task(span: &str, task: &str) -> bool {
    if task.is_empty() {
        return false;
    }
    let last = task.rsplit('.').next().unwrap_or(task);
    let is_word = |part: &str| {
        !part.is_empty()
            && span.match_indices(part).any(|(at, _)| {
                let is_edge = |letter: Option<char>| {
                    letter.is_none_or(|letter| !letter.is_alphanumeric() && letter != '_')
                };
                is_edge(span[..at].chars().next_back()) && is_edge(span[at + part.len()..].chars().next())
            })
    };
    is_word(task) || is_word(last)
}

/// What each publishing process puts into its messages.
#[derive(Default, Debug)]
pub struct Origins<'e> {
    tallies: FxHashMap<(&'e str, &'e str), Tally>,
}

/// The messages of one origin. Retries, and messages that a task published, do
/// not count: their process is a worker.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Tally {
    pub with_context: u64,
    pub without: u64,
    pub sampled: u64,
    pub unsampled: u64,
}

impl<'e> Origins<'e> {
    fn of(evidence: &'e Evidence) -> Self {
        let mut origins = Self::default();
        for delivery in evidence.tasks.iter().flat_map(|task| &task.messages) {
            origins.count(&delivery.broker, &delivery.message, 1);
        }
        for class in evidence.census.classes() {
            if let Some(example) = class.examples.first() {
                origins.count(&example.broker, &example.message, class.count);
            }
        }
        origins
    }

    fn count(&mut self, broker: &'e str, message: &'e Message, times: u64) {
        let Some(origin) = message.origin.as_deref() else { return };
        if message.retries > 0 || message.parent_id.is_some() || message.from_beat {
            return;
        }
        let tally = self.tallies.entry((broker, origin)).or_default();
        if message.contexts.is_empty() && message.empty_carriers.is_empty() {
            tally.without += times;
        } else {
            tally.with_context += times;
        }
        match message.contexts.iter().find_map(|sighting| sighting.context()).map(|context| context.sampling)
        {
            Some(Sampling::Sampled) => tally.sampled += times,
            Some(Sampling::NotSampled) => tally.unsampled += times,
            Some(Sampling::Deferred) | None => {}
        }
    }

    pub fn tally(&self, broker: &str, origin: &str) -> Tally {
        self.tallies.get(&(broker, origin)).copied().unwrap_or_default()
    }

    /// All origins of this broker together.
    pub fn of_broker(&self, broker: &str) -> Tally {
        let tallies = self.tallies.iter().filter(|((of, _), _)| *of == broker).map(|(_, tally)| *tally);
        tallies.fold(Tally::default(), |all, one| Tally {
            with_context: all.with_context + one.with_context,
            without: all.without + one.without,
            sampled: all.sampled + one.sampled,
            unsampled: all.unsampled + one.unsampled,
        })
    }

    /// The other origins of this broker that always send context, in order.
    pub fn always_sending(&self, broker: &str) -> Vec<(&'e str, Tally)> {
        let mut always: Vec<_> = self
            .tallies
            .iter()
            .filter(|((of, _), tally)| *of == broker && tally.with_context > 0 && tally.without == 0)
            .map(|((_, origin), tally)| (*origin, *tally))
            .collect();
        always.sort_unstable_by_key(|(origin, _)| *origin);
        always
    }
}

#[cfg(test)]
mod tests {
    use super::names_task;

    #[test]
    fn a_span_is_a_tasks_by_whole_words_only() {
        assert!(names_task("process_order", "process_order"));
        assert!(names_task("audit.write process", "audit.write"));
        assert!(names_task("consume process_order", "shop.tasks.process_order"));
        assert!(!names_task("reprocess_order", "process_order"));
        assert!(!names_task("process_order_again", "shop.process_order"));
        assert!(!names_task("anything", ""));
    }
}
