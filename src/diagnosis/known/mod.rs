//! Evidence, with the populations that diagnoses compare a hand-off against.

mod even_intervals;
mod flow;
mod origins;
mod orphans;
mod requests;
mod roots_in_runs;
mod schedule;
mod services;
mod setting;
mod silence;
mod traces;
mod unclaimed_consumers;

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::evidence::{
    Broker, Continuity, Evidence, Handoff, Process, Service, SpanKey, SpanRef, StoredSpan, Task, Trace,
};
use crate::model::{ContextFormat, Map, ParentOrigin, Set, TaskStatus, Timestamp, TraceId};

pub use even_intervals::is_even;
use flow::Flow;
pub use flow::{RatioSplit, Sends};
pub use origins::{MessageCounts, Origins, is_publisher};
use orphans::{Orphans, by_start};
pub use requests::just_outside::{JustOutside, Position};
pub use requests::one_per_request::publishing_traces;
use requests::response_start::ResponseStarts;
use requests::{coincidence, just_outside, one_per_request, redis_pushes};
pub use roots_in_runs::RootsInRuns;
use schedule::Schedules;
pub use setting::{Reader, Setting, Sides};
pub use silence::SILENCE;
pub use traces::fabricated_parents::FabricatedParent;
use traces::{fabricated_parents, index::TraceIndex};
use unclaimed_consumers::UnclaimedConsumers;

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
    /// Whether spans are left out of the account.
    is_of_broker: bool,
    pub services: BTreeMap<&'e str, Service<'e>>,
    origins: OnceCell<Origins<'e>>,
    orphans: OnceCell<Orphans<'e>>,
    unclaimed: OnceCell<UnclaimedConsumers<'e>>,
    bare_pushes: OnceCell<Vec<SpanRef<'e>>>,
    flow: OnceCell<Flow<'e>>,
    answers: OnceCell<ResponseStarts<'e>>,
    by_chance: OnceCell<Set<(&'e str, &'e Process)>>,
    beside: OnceCell<Map<SpanKey, JustOutside<'e>>>,
    rootless: OnceCell<Vec<SpanRef<'e>>>,
    schedules: OnceCell<Schedules<'e>>,
    paired: OnceCell<Set<SpanKey>>,
    readers: OnceCell<BTreeSet<(&'e str, ContextFormat)>>,
    roots_in_runs: OnceCell<Vec<RootsInRuns<'e>>>,
    made_up: RefCell<BTreeMap<TraceId, Rc<Vec<FabricatedParent<'e>>>>>,
    /// What was filed of the traces that were looked at.
    filed: RefCell<BTreeMap<TraceId, Rc<TraceIndex<'e>>>>,
}

/// What is needed where no database that was looked at holds anything of Celery's.
pub const WRONG_DATABASE: &str = "the database of Celery's broker_url: the one that was looked at holds nothing of Celery (its number is the end of --broker)";

impl<'e> Known<'e> {
    /// How many of the roots that may be a hand-off's are looked at.
    const LOOKALIKES: usize = 10;

    pub fn of(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self {
            evidence,
            now,
            is_live: false,
            is_of_broker: false,
            services: evidence.processes.services(),
            origins: OnceCell::new(),
            orphans: OnceCell::new(),
            unclaimed: OnceCell::new(),
            bare_pushes: OnceCell::new(),
            flow: OnceCell::new(),
            answers: OnceCell::new(),
            by_chance: OnceCell::new(),
            beside: OnceCell::new(),
            rootless: OnceCell::new(),
            schedules: OnceCell::new(),
            paired: OnceCell::new(),
            readers: OnceCell::new(),
            roots_in_runs: OnceCell::new(),
            made_up: RefCell::default(),
            filed: RefCell::default(),
        }
    }

    /// The same, as what a broker holds shows it by itself.
    pub fn of_broker(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self { is_of_broker: true, services: BTreeMap::new(), ..Self::of(evidence, now) }
    }

    /// The same, while evidence still comes in.
    pub fn live(evidence: &'e Evidence, now: Timestamp) -> Self {
        Self { is_live: true, ..Self::of(evidence, now) }
    }

    /// What each publishing process puts into its messages.
    pub fn origins(&self) -> &Origins<'e> {
        self.origins.get_or_init(|| Origins::of(self.evidence))
    }

    /// Whether the runs of a task, of all or of those that the same process
    /// published, look like those of a scheduler, which has no context to hand over.
    pub fn is_scheduled(&self, handoff: &Handoff<'_>) -> bool {
        !self.is_of_broker && self.schedules.get_or_init(|| Schedules::of(self.evidence)).has(handoff)
    }

    /// Whether a PRODUCER root pairs up with a request that published nothing,
    /// as do all others of its task.
    pub fn has_its_request(&self, root: SpanKey) -> bool {
        self.paired.get_or_init(|| one_per_request::paired(self.evidence)).contains(&root)
    }

    /// Whether nothing more is awaited of a trace, as far as can be told: only then
    /// is anything built on what it lacks.
    pub fn has_settled(&self, trace: &Trace) -> bool {
        self.evidence.has_trace_settled(trace, self.is_live)
    }

    fn flow(&self) -> &Flow<'e> {
        self.flow.get_or_init(|| Flow::of(self.evidence, self.is_live))
    }

    /// Whether a run of this service was seen to continue a message that carries
    /// its context in this format only: then it does read it.
    pub fn reads(&self, service: &str, format: ContextFormat) -> bool {
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
        let is_rootless = !trace.is_remnant() && trace.spans.iter().all(is_loose);
        let first = trace.spans.iter().filter(|_| is_rootless).min_by_key(|span| (span.start, span.id))?;
        trace.spans.iter().all(|span| span.process == first.process).then_some(SpanRef { trace, span: first })
    }

    fn orphans(&self) -> &Orphans<'e> {
        self.orphans.get_or_init(|| Orphans::of(self.evidence))
    }

    /// One pass over a trace, so that no diagnosis looks through it for each of
    /// its hand-offs.
    fn filed(&self, id: TraceId) -> Rc<TraceIndex<'e>> {
        let mut all = self.filed.borrow_mut();
        Rc::clone(all.entry(id).or_insert_with(|| Rc::new(TraceIndex::of(self.evidence, id))))
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

    /// Of the runs of this task's batches that nothing links to a message, the
    /// first that began at or after `since`.
    pub fn unlinked_batch(&self, task: &str, since: Timestamp) -> Option<SpanRef<'e>> {
        let batches = self.orphans().batches.get(task)?;
        batches.spans.get(batches.spans.partition_point(|run| run.span.start < since)).copied()
    }

    /// The runs of batches that nothing links to a message, by task.
    pub fn unlinked_batches(&self) -> impl Iterator<Item = (&'e str, &[SpanRef<'e>])> + '_ {
        self.orphans().batches.iter().map(|(task, batches)| (*task, &*batches.spans))
    }

    /// Roots that lie within runs of their process, wherever there are any.
    pub fn roots_in_runs(&self) -> &[RootsInRuns<'e>] {
        self.roots_in_runs.get_or_init(|| roots_in_runs::roots_in_runs(self.evidence))
    }

    /// The parents in this trace whose ids a worker made up.
    pub fn fabricated_parents(&self, trace: TraceId) -> Rc<Vec<FabricatedParent<'e>>> {
        if let Some(found) = self.made_up.borrow().get(&trace) {
            return Rc::clone(found);
        }
        let is_a_callers = |parent| self.server_below(parent).is_some();
        let found = self.evidence.spans.trace(trace);
        let found =
            found.map(|trace| fabricated_parents::fabricated_parents(trace, self.evidence, is_a_callers));
        let found = Rc::new(found.unwrap_or_default());
        self.made_up.borrow_mut().insert(trace, Rc::clone(&found));
        found
    }

    /// The hand-made consumer roots that bear no task's name.
    pub fn nameless_orphans(&self) -> &[SpanRef<'e>] {
        &self.orphans().nameless.spans
    }

    /// A consumer span that names no message and may be the run of this hand-off,
    /// of which none was seen. Hand-made roots are [`Known::lookalikes`].
    pub fn unclaimed_run(&self, handoff: &Handoff<'_>) -> Option<SpanRef<'e>> {
        self.unclaimed.get_or_init(|| UnclaimedConsumers::of(self.evidence)).of_handoff(handoff)
    }

    /// The push onto a list of Redis, by a request and without a PRODUCER span
    /// between, that may have published what a worker took at `taken`.
    pub fn bare_push_before(&self, taken: Timestamp) -> Option<SpanRef<'e>> {
        redis_pushes::before(self.bare_pushes.get_or_init(|| redis_pushes::bare_pushes(self.evidence)), taken)
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

    /// What would show a message that was not seen.
    pub fn to_see_the_message(&self) -> &'static str {
        if self.evidence.brokers.is_empty() {
            "--broker, or a broker snapshot, to see the message"
        } else if !self.evidence.brokers.iter().any(Broker::holds_anything) {
            WRONG_DATABASE
        } else {
            "--broker-monitor, to see a message that is taken between two looks at the broker"
        }
    }

    /// Whether any span was received at all.
    pub fn has_spans(&self) -> bool {
        !self.is_of_broker && self.evidence.spans.span_count() > 0
    }

    /// The broker in which the message of a hand-off lies.
    pub fn broker_of(&self, handoff: &Handoff<'_>) -> Option<&'e Broker> {
        self.evidence.brokers.get(&handoff.delivery?.broker)
    }

    /// Whether a process that has a part in this trace was silent for long, to
    /// the end of the evidence.
    pub fn has_fallen_silent(&self, process: &Process, trace: &Trace) -> bool {
        silence::has_fallen_silent(self.evidence, process, trace)
    }

    /// Whether nothing more can come: what has not ended by now never will.
    pub fn is_over(&self) -> bool {
        silence::is_over(self.evidence)
    }

    /// Whether a message left this queue at or after `since`.
    pub fn took_from(&self, broker: &Broker, queue: &str, since: Timestamp) -> bool {
        self.flow().taken.get(&(&*broker.name, queue)).is_some_and(|last| *last >= since)
    }

    /// Whether a run of this worker was seen, which a result names.
    pub fn is_heard(&self, worker: &str) -> bool {
        self.flow().heard_workers.contains(worker)
    }

    /// The queues of this broker from which messages were taken.
    pub fn taken_queues(&self, broker: &Broker) -> BTreeSet<&'e str> {
        let taken = self.flow().taken.keys();
        taken.filter(|(name, _)| *name == &*broker.name).map(|(_, queue)| *queue).collect()
    }

    /// Whether some program is seen to hand over the context of a request or of
    /// a run itself, which is open for as long as that is.
    pub fn hands_over_entries(&self) -> bool {
        self.flow().by_hand
    }

    /// Whether a message left any queue of this broker at or after `since`.
    pub fn took_anything(&self, broker: &Broker, since: Timestamp) -> bool {
        let mut taken = self.flow().taken.iter();
        taken.any(|((name, _), last)| **name == *broker.name && *last >= since)
    }

    /// Whether a task is known to have started, and not to be done.
    pub fn has_started_task(&self) -> bool {
        self.flow().has_started
    }

    /// Whether roots of this task are published by this process outside of
    /// requests too, and no more inside of them than chance would put there.
    pub fn falls_into_requests_by_chance(&self, task: &str, process: &Process) -> bool {
        self.by_chance.get_or_init(|| coincidence::by_chance(self.evidence)).contains(&(task, process))
    }

    /// Whether each request that was open at `time` had begun to answer, and one was.
    pub fn had_begun_to_answer(&self, process: &Process, time: Timestamp) -> bool {
        self.answers.get_or_init(|| ResponseStarts::of(self.evidence)).had_begun(process, time)
    }

    /// The requests beside which a PRODUCER root lies, as all others of its task do.
    pub fn beside_requests(&self, root: SpanKey) -> Option<JustOutside<'e>> {
        self.beside.get_or_init(|| just_outside::beside(self.evidence)).get(&root).copied()
    }

    /// When the first task of all was published, by its PRODUCER span.
    pub fn first_published(&self) -> Option<Timestamp> {
        self.flow().first_published
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
