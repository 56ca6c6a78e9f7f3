//! Evidence, with the populations that diagnoses compare a hand-off against.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::evidence::{
    Broker, Continuity, Evidence, Fate, Handoff, Service, SpanKey, SpanRef, StoredSpan, Task, Trace,
};
use crate::model::{
    Format, Message, ParentOrigin, Sampling, SpanId, SpanKind, TaskStatus, Timestamp, TraceId,
};

/// What diagnoses are given: the evidence, the clock, and the aggregates over
/// it. Each aggregate is made once for a round of judging, when it is first
/// asked for, so that a round of a few hand-offs costs a few hand-offs.
#[derive(Debug)]
pub struct Known<'e> {
    pub evidence: &'e Evidence,
    /// The clock of the evidence: never the time of day.
    pub now: Timestamp,
    /// Whether evidence still comes in: what is absent may be on its way.
    pub is_live: bool,
    pub services: BTreeMap<&'e str, Service<'e>>,
    origins: OnceCell<Origins<'e>>,
    orphans: OnceCell<Orphans<'e>>,
    flow: OnceCell<Flow<'e>>,
    rootless: OnceCell<Vec<SpanRef<'e>>>,
    readers: OnceCell<BTreeSet<(&'e str, Format)>>,
    /// What was filed of the traces that were looked at.
    filed: RefCell<FxHashMap<TraceId, Rc<Filed<'e>>>>,
}

/// The spans of one trace that diagnoses look for.
#[derive(Default, Debug)]
struct Filed<'e> {
    /// A SERVER span below each span that has one.
    servers: FxHashMap<SpanId, SpanRef<'e>>,
    /// The hand-made consumer spans, by start.
    by_hand: Vec<SpanRef<'e>>,
}

/// Hand-made consumer spans that began a trace of their own.
#[derive(Default, Debug)]
struct Orphans<'e> {
    /// By the task whose name theirs contains.
    of_tasks: BTreeMap<&'e str, ByStart<'e>>,
    /// Those whose name contains no task's.
    nameless: ByStart<'e>,
}

/// Spans in the order of their start, so that those of a time are found
/// without looking through all.
#[derive(Default, Debug)]
struct ByStart<'e> {
    spans: Vec<SpanRef<'e>>,
    /// The latest end of each span and of those before it.
    latest: Vec<Timestamp>,
}

impl<'e> ByStart<'e> {
    fn sort(&mut self) {
        self.spans.sort_by_key(by_start);
        let mut latest = Timestamp::default();
        let ends = self.spans.iter().map(|found| {
            latest = latest.max(found.span.end);
            latest
        });
        self.latest = ends.collect();
    }

    /// From the first span on that had not ended by `time`.
    fn unless_ended_by(&self, time: Timestamp) -> &[SpanRef<'e>] {
        &self.spans[self.latest.partition_point(|latest| *latest < time)..]
    }

    /// The spans that started from `first` to `last`.
    fn started_within(&self, first: Timestamp, last: Timestamp) -> &[SpanRef<'e>] {
        let from = self.spans.partition_point(|found| found.span.start < first);
        let count = self.spans[from..].partition_point(|found| found.span.start <= last);
        &self.spans[from..from + count]
    }
}

/// What moved through the brokers.
#[derive(Default, Debug)]
struct Flow<'e> {
    /// By broker and queue: when a message that is gone by now was last seen.
    taken: FxHashMap<(&'e str, &'e str), Timestamp>,
    /// What is known of where each service publishes to.
    sends: FxHashMap<&'e str, Sends>,
    /// Tasks, by name, of which results are kept.
    with_results: FxHashSet<&'e str>,
    split: Option<RatioSplit>,
}

/// Where a service publishes to, by all of its tasks.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sends {
    /// A message of one of them was seen, or a broker leads to its queue and
    /// that queue is not everybody's, or its result was there too.
    pub to_a_seen_broker: bool,
    /// One of them ran, though no broker that was looked at leads to its queue.
    pub ran_unseen: bool,
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
        Self {
            evidence,
            now,
            is_live: false,
            services: evidence.processes.services(),
            origins: OnceCell::new(),
            orphans: OnceCell::new(),
            flow: OnceCell::new(),
            rootless: OnceCell::new(),
            readers: OnceCell::new(),
            filed: RefCell::default(),
        }
    }

    /// The same, while evidence still comes in.
    pub fn live(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self { is_live: true, ..Self::of(evidence, now) }
    }

    /// What each publishing process puts into its messages.
    pub fn origins(&self) -> &Origins<'e> {
        self.origins.get_or_init(|| Origins::of(self.evidence))
    }

    fn flow(&self) -> &Flow<'e> {
        self.flow.get_or_init(|| Flow::of(self.evidence))
    }

    /// Whether a run of this service was seen to continue a message that carries
    /// its context in this format only: then it does read it.
    pub fn reads(&self, service: &str, format: Format) -> bool {
        let readers = self.readers.get_or_init(|| {
            let handoffs = self.evidence.tasks.iter().flat_map(|task| task.handoffs(self.evidence));
            let whole = handoffs.filter(|handoff| handoff.continuity() == Some(Continuity::Whole));
            let read = |handoff: Handoff<'e>| {
                let valid = handoff.message()?.contexts.iter().filter(|found| found.context().is_some());
                let formats: BTreeSet<_> =
                    valid.map(|found| found.format).filter(|format| !format.is_vendor()).collect();
                let only = formats.first().copied().filter(|_| formats.len() == 1)?;
                Some((handoff.consumer()?.span.service(), only))
            };
            whole.filter_map(read).collect()
        });
        readers.iter().any(|(reader, read)| *reader == service && *read == format)
    }

    /// Of each trace in which nothing but spans of one process hangs below a
    /// span of that process that has not arrived: the first to start, in the
    /// order of their start. Traces of which a message carries a context are
    /// left out.
    pub fn rootless(&self) -> &[SpanRef<'e>] {
        self.rootless.get_or_init(|| {
            let mut firsts: Vec<_> =
                self.evidence.spans.traces().filter_map(|trace| self.first_of_rootless(trace)).collect();
            firsts.sort_by_key(by_start);
            firsts
        })
    }

    fn first_of_rootless(&self, trace: &'e Trace) -> Option<SpanRef<'e>> {
        let is_loose = |span: &StoredSpan| {
            let Some(parent) = span.parent else { return false };
            let key = SpanKey { trace_id: trace.id, span_id: parent };
            trace.get(parent).is_some()
                || (span.parent_origin == ParentOrigin::Local && self.evidence.tasks.carrying(key).is_empty())
        };
        let is_rootless = !trace.age.is_remnant && trace.spans.iter().all(is_loose);
        let first = trace.spans.iter().filter(|_| is_rootless).min_by_key(|span| (span.start, span.id))?;
        trace.spans.iter().all(|span| span.process == first.process).then_some(SpanRef { trace, span: first })
    }

    fn orphans(&self) -> &Orphans<'e> {
        self.orphans.get_or_init(|| Orphans::of(self.evidence))
    }

    /// One pass over a trace, so that no diagnosis looks through it for each of
    /// its hand-offs.
    fn filed(&self, id: TraceId) -> Rc<Filed<'e>> {
        let mut all = self.filed.borrow_mut();
        Rc::clone(all.entry(id).or_insert_with(|| Rc::new(Filed::of(self.evidence, id))))
    }

    /// The first SERVER span whose parent is this span.
    pub fn server_below(&self, parent: SpanKey) -> Option<SpanRef<'e>> {
        self.filed(parent.trace_id).servers.get(&parent.span_id).copied()
    }

    /// The hand-made consumer spans of a trace, by start.
    pub fn hand_made_consumers(&self, trace: TraceId) -> Vec<SpanRef<'e>> {
        self.filed(trace).by_hand.clone()
    }

    /// The hand-made consumer roots that may be the run of a hand-off of which
    /// no consumer was seen: those of its task's name and attempt; where none
    /// has a task's name, all of them.
    pub fn lookalikes(&self, handoff: &Handoff<'_>) -> Vec<SpanRef<'e>> {
        if !handoff.consumers.is_empty() || handoff.task.is_empty() {
            return Vec::new();
        }
        let orphans = self.orphans();
        let candidates = orphans.of_tasks.get(handoff.task).unwrap_or(&orphans.nameless);
        let is_possible = |found: &&SpanRef<'_>| {
            let attempt = found.span.detail().retries;
            let sent = handoff.producer.map(|producer| producer.span.start);
            attempt.is_none_or(|attempt| attempt == handoff.attempt)
                && sent.is_none_or(|sent| found.span.end >= sent)
        };
        let sent = handoff.producer.map(|producer| producer.span.start).unwrap_or_default();
        candidates.unless_ended_by(sent).iter().filter(is_possible).take(Self::LOOKALIKES).copied().collect()
    }

    /// The hand-made consumer roots that bear the name of a task.
    pub fn orphans_of(&self, task: &str) -> &[SpanRef<'e>] {
        self.orphans().of_tasks.get(task).map_or(&[], |found| &found.spans)
    }

    /// Those of them that started from `first` to `last`.
    pub fn orphans_within(&self, task: &str, first: Timestamp, last: Timestamp) -> &[SpanRef<'e>] {
        self.orphans().of_tasks.get(task).map_or(&[], |found| found.started_within(first, last))
    }

    /// Tasks whose name a hand-made consumer root bears.
    pub fn orphaned_tasks(&self) -> impl Iterator<Item = &'e str> + '_ {
        self.orphans().of_tasks.keys().copied()
    }

    /// The hand-made consumer roots that bear no task's name.
    pub fn nameless_orphans(&self) -> &[SpanRef<'e>] {
        &self.orphans().nameless.spans
    }

    /// The ids of the tasks that a worker ran, by their results.
    pub fn ran(&self) -> impl Iterator<Item = &'e str> + use<'e> {
        let was_run = |task: &&Task| {
            task.result.as_ref().is_some_and(|result| {
                matches!(result.status, TaskStatus::Success | TaskStatus::Failure | TaskStatus::Retry)
            })
        };
        self.evidence.tasks.iter().filter(was_run).map(|task| &*task.id)
    }

    /// Whether any span was received at all.
    pub fn has_spans(&self) -> bool {
        self.evidence.spans.span_count() > 0
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
        self.flow().taken.get(&(&*broker.name, queue)).is_some_and(|last| *last >= since)
    }

    /// Where a service publishes to, as far as its other tasks show it.
    pub fn sends_of(&self, service: &str) -> Sends {
        self.flow().sends.get(service).copied().unwrap_or_default()
    }

    /// Whether results are kept of this task, so that one without a result is
    /// not finished.
    pub fn keeps_results_of(&self, task: &str) -> bool {
        self.flow().with_results.contains(task)
    }

    /// The split of a ratio sampler in the workers, where there is one.
    pub fn ratio_split(&self) -> Option<RatioSplit> {
        self.flow().split
    }
}

impl<'e> Filed<'e> {
    fn of(evidence: &'e Evidence, id: TraceId) -> Self {
        let mut filed = Self::default();
        let Some(trace) = evidence.spans.trace(id) else { return filed };
        for span in &trace.spans {
            let found = SpanRef { trace, span };
            if span.kind == SpanKind::Server
                && let Some(parent) = span.parent
            {
                let below = filed.servers.entry(parent).or_insert(found);
                if (span.start, span.id) < (below.span.start, below.span.id) {
                    *below = found;
                }
            }
            if span.kind == SpanKind::Consumer && !span.is_instrumented_run() {
                filed.by_hand.push(found);
            }
        }
        filed.by_hand.sort_by_key(by_start);
        filed
    }
}

impl<'e> Orphans<'e> {
    fn of(evidence: &'e Evidence) -> Self {
        let mut filed = Self::default();
        let orphans = evidence.tasks.orphans();
        if orphans.is_empty() {
            return filed;
        }
        let tasks: BTreeSet<&str> = evidence.tasks.iter().map(|task| task.name(evidence)).collect();
        for (name, keys) in orphans {
            let task = tasks.iter().filter(|task| names_task(name, task)).max_by_key(|task| task.len());
            // One that bears the id of a task that is known is that task's, and no riddle.
            let is_named =
                |found: &SpanRef<'_>| found.span.task_id().is_some_and(|id| evidence.tasks.get(id).is_some());
            let found =
                keys.iter().filter_map(|key| evidence.spans.get(*key)).filter(|found| !is_named(found));
            match task {
                Some(task) => filed.of_tasks.entry(task).or_default().spans.extend(found),
                None => filed.nameless.spans.extend(found),
            }
        }
        filed.nameless.sort();
        filed.of_tasks.values_mut().for_each(ByStart::sort);
        filed
    }
}

fn by_start(found: &SpanRef<'_>) -> (Timestamp, SpanId) {
    (found.span.start, found.span.id)
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
            if task.result.as_ref().is_some_and(|result| result.status.is_final()) {
                flow.with_results.insert(task.name(evidence));
            }
            for producer in task.producers.iter().filter_map(|key| evidence.spans.get(*key)) {
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
            } else if has_run || is_gone {
                dropped.push(trace.low64());
            }
        }
        flow.split = RatioSplit::of(&kept, &dropped);
        flow
    }
}

impl Sends {
    /// The queue, exchange and routing key of every application that names none.
    const DEFAULT: &str = "celery";

    fn learn(&mut self, task: &Task, producer: SpanRef<'_>, evidence: &Evidence) {
        let detail = producer.span.detail();
        let destination = detail.destination.as_deref().unwrap_or_default();
        let exchange = detail.exchange.as_deref().filter(|exchange| !exchange.is_empty());
        let is_routed = evidence.brokers.iter().any(|broker| broker.routes(exchange, destination));
        let is_named = exchange.unwrap_or(destination) != Self::DEFAULT;
        // A result by itself says nothing of the broker: the backend is often
        // another server.
        let has_run = task.result.is_some() || !task.consumers.is_empty();
        self.to_a_seen_broker |=
            !task.messages.is_empty() || (is_routed && (is_named || task.result.is_some()));
        self.ran_unseen |= !is_routed && task.messages.is_empty() && has_run;
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

    /// Whether every message that says so says that its sender did not sample:
    /// then no span is missed.
    pub fn are_all_unsampled(&self) -> bool {
        let all = || self.tallies.values();
        all().any(|tally| tally.unsampled > 0) && all().all(|tally| tally.sampled == 0)
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
