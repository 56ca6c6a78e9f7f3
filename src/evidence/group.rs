//! What belongs together: traces, and the tasks that were handed over between them. A group
//! is judged and let go as a whole, so that no half of a hand-off is left behind to look
//! like an orphan.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::age::{Age, Ages, Moment};
use super::unit::Unit;
use super::{Continuation, Evidence, SpanKey, SpanStore, StoredSpan, Task, Tasks, Trace, Unsettled};
use crate::model::{Map, ParentOrigin, Set, SpanKind, TraceId};

/// The traces and tasks of one group that are still here.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Group {
    pub traces: BTreeSet<TraceId>,
    pub tasks: BTreeSet<Arc<str>>,
}

impl Group {
    /// A unit by itself.
    pub fn alone(unit: Unit) -> Self {
        match unit {
            Unit::Trace(id) => Self { traces: [id].into(), ..Self::default() },
            Unit::Task(id) => Self { tasks: [id].into(), ..Self::default() },
        }
    }

    /// How many traces and tasks are gathered at most: one workflow may tie everything
    /// together.
    const LIMIT: usize = 1_000;

    /// Leaves out what belongs to another group already, and adds the rest to that one:
    /// each unit is judged and counted once.
    pub fn claim(&mut self, taken: &mut Set<Unit>) {
        self.traces.retain(|id| taken.insert(Unit::Trace(*id)));
        self.tasks.retain(|id| taken.insert(Unit::Task(Arc::clone(id))));
    }

    pub fn units(&self) -> impl Iterator<Item = Unit> {
        let traces = self.traces.iter().map(|id| Unit::Trace(*id));
        traces.chain(self.tasks.iter().map(|id| Unit::Task(Arc::clone(id))))
    }
}

/// Which traces are complete. Each is checked once, since many tasks may take part in one.
#[derive(Default, Debug)]
pub struct ClosedTraces {
    known: Map<TraceId, bool>,
}

impl ClosedTraces {
    fn has(&mut self, trace: &Trace) -> bool {
        *self.known.entry(trace.id).or_insert_with(|| trace.lacks_no_parent())
    }
}

impl Evidence {
    /// The group of a trace or task: the tasks that were handed over in it, and the other
    /// traces of those tasks.
    pub fn group_of(&self, unit: &Unit) -> Group {
        let mut group = Group::default();
        match unit {
            Unit::Task(id) => self.add_task(&mut group, id),
            Unit::Trace(id) => {
                let Some(trace) = self.spans.trace(*id) else { return group };
                group.traces.insert(*id);
                for task in self.tasks_in(trace) {
                    if group.tasks.len() >= Group::LIMIT {
                        break;
                    }
                    self.add_task(&mut group, task);
                }
            }
        }
        group
    }

    /// The tasks that spans of the trace name, or whose messages carry a context of this
    /// trace or of one that it links to.
    fn tasks_in<'e>(&'e self, trace: &'e Trace) -> impl Iterator<Item = &'e str> {
        let named = trace.spans.iter().filter_map(|span| span.task_id());
        let watches_messages = self.tasks.carries_contexts();
        let carried = trace.spans.iter().filter(move |_| watches_messages).flat_map(|span| {
            let key = SpanKey { trace_id: trace.id, span_id: span.id };
            self.tasks.carrying(key).iter().map(|id| &**id)
        });
        let links = trace.spans.iter().flat_map(StoredSpan::links);
        let linked = links.flat_map(move |link| {
            let key = SpanKey { trace_id: link.trace_id, span_id: link.span_id };
            let producer = self.spans.get(key).and_then(|found| found.span.task_id());
            self.tasks.carrying(key).iter().map(|id| &**id).chain(producer)
        });
        named.chain(carried).chain(linked)
    }

    fn add_task(&self, group: &mut Group, id: &str) {
        let Some(task) = self.tasks.get(id) else { return };
        if !group.tasks.insert(Arc::clone(&task.id)) {
            return;
        }
        let sent = task.contexts().chain(task.producers.iter().copied());
        let continued = sent.flat_map(|context| self.tasks.continuations(context));
        let continued = continued.map(Continuation::key);
        let named = self.tasks.named(id).iter().copied();
        let traces = task.traces().chain(continued.chain(named).map(|key| key.trace_id));
        let room = Group::LIMIT.saturating_sub(group.traces.len());
        group.traces.extend(traces.filter(|id| self.spans.trace(*id).is_some()).take(room));
    }

    /// Whether the group is complete: every hand-off is whole, each task was seen to run,
    /// and no parent is unknown. Such a group needs no settling.
    pub fn is_whole(&self, group: &Group, closed: &mut ClosedTraces) -> bool {
        let tasks = || group.tasks.iter().filter_map(|id| self.tasks.get(id));
        !group.tasks.is_empty()
            && tasks().all(|task| {
                let handoffs = task.handoffs(self);
                handoffs.iter().all(|handoff| handoff.is_whole() && !handoff.consumers.is_empty())
            })
            && group.traces.iter().filter_map(|id| self.spans.trace(*id)).all(|trace| closed.has(trace))
    }

    /// Whether to judge a unit before it has settled. A trace that keeps growing is judged
    /// again only when it has grown by a fraction of its size, so that all these judgments
    /// together stay cheap.
    pub fn is_due_early(&self, unit: &Unit) -> bool {
        // Of one that was judged a moment ago, some tasks may have found no time.
        let is_to_judge = |trace: &Trace| trace.has_grown() || trace.age.has_settled();
        let of_trace = |id| self.spans.trace(id).is_none_or(is_to_judge);
        let has_grown = match unit {
            Unit::Trace(id) => of_trace(*id),
            Unit::Task(id) => self.tasks.get(id).is_none_or(|task| task.traces().all(of_trace)),
        };
        has_grown && !self.is_settled(unit)
    }

    /// When something new last came for any part of the group.
    pub fn touched(&self, group: &Group) -> Moment {
        let traces =
            group.traces.iter().filter_map(|id| self.spans.trace(*id)).map(|trace| trace.age.touched);
        let tasks = group.tasks.iter().filter_map(|id| self.tasks.get(id)).map(|task| task.age.touched);
        traces.chain(tasks).max().unwrap_or_default()
    }

    /// Whether nothing new came for any part of the group since it was judged.
    pub fn has_settled(&self, group: &Group) -> bool {
        group.traces.iter().filter_map(|id| self.spans.trace(*id)).all(|trace| trace.age.has_settled())
            && group.tasks.iter().filter_map(|id| self.tasks.get(id)).all(|task| task.age.has_settled())
    }

    /// Leaves out long traces of which nothing new came since they were judged: else
    /// each round that goes on with their tasks would judge them again.
    pub fn leave_out_judged(&self, group: &mut Group) {
        let is_judged = |trace: &Trace| trace.spans.len() >= Trace::LONG && trace.age.has_settled();
        group.traces.retain(|id| !self.spans.trace(*id).is_some_and(is_judged));
    }

    /// How much work it is to judge the group, in spans. A trace or a task costs about as
    /// much as eight spans.
    pub fn work(&self, group: &Group) -> usize {
        let spans = group.traces.iter().filter_map(|id| self.spans.trace(*id)).map(|trace| trace.spans.len());
        8 * (group.traces.len() + group.tasks.len()) + spans.sum::<usize>()
    }

    /// About how many bytes letting go of the group frees.
    pub fn weight(&self, group: &Group) -> usize {
        let traces = group.traces.iter().filter_map(|id| self.spans.trace(*id)).map(Trace::bytes);
        let tasks = group.tasks.iter().filter_map(|id| self.tasks.get(id)).map(Task::bytes);
        traces.sum::<usize>() + tasks.sum::<usize>()
    }

    /// Lets go of a group and marks what went. [`Evidence::sweep`] clears the indices.
    pub fn let_go(&mut self, group: &Group) {
        for id in &group.traces {
            if let Some(trace) = self.spans.remove(*id) {
                // The rest of it was counted when its other part was let go.
                self.count_evicted_traces(u64::from(!trace.age.is_remnant));
                self.ages.let_go(&Unit::Trace(*id));
            }
        }
        for id in &group.tasks {
            if let Some(task) = self.tasks.remove(id) {
                self.counts.evicted_messages += task.messages.len() as u64;
                self.ages.let_go(&Unit::Task(task.id));
            }
        }
    }

    /// Clears the indices of what was let go. It goes through everything that is here, so
    /// it is called once for many groups.
    pub fn sweep(&mut self) {
        self.tasks.sweep(&self.spans);
        let Self { spans, tasks, ages, .. } = self;
        ages.sweep(spans.held_traces() + tasks.len(), |unit| match unit {
            Unit::Trace(id) => spans.trace(*id).is_some(),
            Unit::Task(id) => tasks.get(id).is_some(),
        });
    }

    /// Clears names that are no longer used. They may be most of what is held, if each span
    /// has its own.
    pub fn sweep_names(&mut self) {
        // They hold names.
        self.spans.sweep_shapes();
        self.names.sweep();
    }

    /// Whether anything was let go or left out because memory was short.
    pub const fn has_let_go(&self) -> bool {
        self.counts.evicted_traces > 0 || self.spans.let_go() > 0
    }

    /// About how many bytes are taken by what grows with each span. This costs nothing,
    /// unlike [`Evidence::bytes`].
    #[inline]
    pub fn growing(&self) -> usize {
        self.spans.bytes() + self.tasks.bytes() + self.names.bytes() + self.ages.bytes()
    }

    /// About how many bytes everything takes.
    pub fn bytes(&self) -> usize {
        self.spans.bytes()
            + self.tasks.bytes()
            + self.ages.bytes()
            + self.processes.bytes()
            + self.names.bytes()
            + self.exports.bytes()
            + self.brokers.bytes()
            + self.class_counts.bytes()
            + self.receiver.bytes()
            + self.exception_kinds.bytes()
            + self.invalid.values().map(super::InvalidSpans::bytes).sum::<usize>()
    }

    /// Whether nothing more is expected for a task, as far as can be told. `is_live` says
    /// whether evidence still comes in.
    pub fn has_task_settled(&self, task: &Task, is_live: bool) -> bool {
        (!is_live || task.age.has_settled()) && !self.doubts(task)
    }

    /// The same for a trace.
    pub fn has_trace_settled(&self, trace: &Trace, is_live: bool) -> bool {
        (!is_live || trace.age.has_settled()) && !self.unsettled.has_trace(trace.id)
    }

    /// Every group that is incomplete and that changed after `limit` (`None`: ever). More
    /// may be on its way.
    pub fn unsettled_since(&self, limit: Option<Moment>) -> Unsettled {
        let (mut unsettled, mut closed) = (Unsettled::default(), ClosedTraces::default());
        for unit in self.ages.open().filter(|unit| !self.is_settled(unit)) {
            if unsettled.has(unit) {
                continue;
            }
            let group = self.group_of(unit);
            let is_moving = limit.is_none_or(|limit| self.touched(&group) > limit);
            if is_moving && !self.is_whole(&group, &mut closed) {
                group.units().for_each(|unit| unsettled.insert(unit));
            }
        }
        unsettled
    }

    /// Whether nothing new came for a unit since it was judged, or it is not here.
    fn is_settled(&self, unit: &Unit) -> bool {
        match unit {
            Unit::Trace(id) => self.spans.trace(*id).is_none_or(|trace| trace.age.has_settled()),
            Unit::Task(id) => self.tasks.get(id).is_none_or(|task| task.age.has_settled()),
        }
    }

    /// Whether everything that came has settled.
    pub fn is_at_rest(&self) -> bool {
        self.ages.open().all(|unit| self.is_settled(unit))
    }

    /// Files a unit as settled.
    pub fn settle(&mut self, unit: Unit) {
        let Self { spans, tasks, ages, .. } = self;
        if let Unit::Trace(id) = unit
            && let Some(trace) = spans.trace_mut(id)
        {
            trace.judged = trace.spans.len();
        }
        if let Some(age) = age_of(spans, tasks, &unit) {
            ages.settle(age, unit);
        }
    }

    /// Takes the next unit that has not changed since `limit`. Units that changed meanwhile
    /// keep waiting. It looks at no more units than there are `looks` left, and takes one
    /// away for each: a million may have been let go since they stood in line.
    pub fn next_settled(&mut self, limit: Moment, looks: &mut usize) -> Option<Unit> {
        let Self { spans, tasks, ages, .. } = self;
        // Each of those goes to the end of the line with a later moment.
        while *looks > 0
            && let Some(unit) = ages.pop_open(limit)
        {
            *looks -= 1;
            let Some(age) = age_of(spans, tasks, &unit) else { continue };
            if age.has_settled() {
                continue;
            }
            if age.touched <= limit {
                return Some(unit);
            }
            ages.wait(age.touched, unit);
        }
        None
    }

    /// Puts back a unit that was taken as settled, because its other side still changes.
    pub fn wait(&mut self, unit: Unit) {
        let Self { spans, tasks, ages, .. } = self;
        if age_of(spans, tasks, &unit).is_some() {
            // With the present moment, so that it is not taken again at once.
            ages.wait(ages.now, unit);
        }
    }

    /// Takes the unit that is to go first, and whether it had settled: the one that settled
    /// first, or else the one that has been open longest.
    pub fn next_to_go(&mut self) -> Option<(Unit, bool)> {
        let Self { spans, tasks, ages, .. } = self;
        while let Some(unit) = ages.pop_settled() {
            let Some(age) = age_of(spans, tasks, &unit) else { continue };
            Ages::leave(age);
            // If something came for it since, it stands in the open line again.
            if age.has_settled() {
                return Some((unit, true));
            }
        }
        while let Some(unit) = ages.pop_open(Moment::LAST) {
            if age_of(spans, tasks, &unit).is_some_and(|age| !age.has_settled()) {
                return Some((unit, false));
            }
        }
        None
    }

    /// Puts a unit back that was taken as the next to go.
    pub fn stay(&mut self, unit: Unit) {
        let Self { spans, tasks, ages, .. } = self;
        if let Some(age) = age_of(spans, tasks, &unit) {
            ages.stay(age, unit);
        }
    }
}

fn age_of<'a>(spans: &'a mut SpanStore, tasks: &'a mut Tasks, unit: &Unit) -> Option<&'a mut Age> {
    match unit {
        Unit::Trace(id) => spans.trace_mut(*id).map(|trace| &mut trace.age),
        Unit::Task(id) => tasks.get_mut(id).map(|task| &mut task.age),
    }
}

impl Trace {
    /// Whether a span is still missing that another span of its process names as its
    /// parent. A span is sent when it ends.
    pub fn awaits_its_own(&self) -> bool {
        self.spans.iter().any(|span| {
            let may_be_its_own = match span.parent_origin {
                ParentOrigin::Local => true,
                ParentOrigin::Unknown => !matches!(span.kind, SpanKind::Server | SpanKind::Consumer),
                ParentOrigin::Remote => false,
            };
            may_be_its_own && span.parent.is_some_and(|parent| self.get(parent).is_none())
        })
    }

    /// A trace of this many spans is not judged again for each of its tasks.
    const LONG: usize = 1_000;

    /// Whether it has grown since it was judged; a long trace counts as grown from an
    /// eighth more.
    fn has_grown(&self) -> bool {
        let least = if self.judged < Self::LONG { 0 } else { self.judged / 8 };
        self.spans.len() >= self.judged + least
    }

    /// Whether no parent is missing that the trace should have. The caller of a request may
    /// well send no spans here.
    pub fn lacks_no_parent(&self) -> bool {
        self.spans.iter().all(|span| {
            span.parent.is_none_or(|parent| span.kind == SpanKind::Server || self.get(parent).is_some())
        })
    }
}
