//! Hand-made consumer spans that began a trace of their own, filed so that those
//! of a hand-off are found without a look at all.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, SpanRef, TaskNames};
use crate::model::{SpanId, Timestamp};

/// Hand-made consumer spans that began a trace of their own.
#[derive(Default, Debug)]
pub(super) struct Orphans<'e> {
    /// By the task whose name theirs contains.
    pub(super) of_tasks: BTreeMap<&'e str, ByStart<'e>>,
    /// Those whose name contains no task's.
    pub(super) nameless: ByStart<'e>,
    /// The runs of batches that nothing links to a message, by task: these are
    /// the instrumentor's, and name no message.
    pub(super) batches: BTreeMap<&'e str, ByStart<'e>>,
}

/// Spans in the order of their start, so that those of a time are found
/// without looking through all.
#[derive(Default, Debug)]
pub(super) struct ByStart<'e> {
    pub(super) spans: Vec<SpanRef<'e>>,
    /// The latest end of each span and of those before it.
    pub(super) latest: Vec<Timestamp>,
}

impl<'e> ByStart<'e> {
    pub(super) fn sort(&mut self) {
        self.spans.sort_by_key(by_start);
        let mut latest = Timestamp::default();
        let ends = self.spans.iter().map(|found| {
            latest = latest.max(found.span.end);
            latest
        });
        self.latest = ends.collect();
    }

    /// From the first span on that had not ended by `time`.
    pub(super) fn unless_ended_by(&self, time: Timestamp) -> &[SpanRef<'e>] {
        &self.spans[self.latest.partition_point(|latest| *latest < time)..]
    }

    /// The spans that started from `first` to `last`.
    pub(super) fn started_within(&self, first: Timestamp, last: Timestamp) -> &[SpanRef<'e>] {
        let from = self.spans.partition_point(|found| found.span.start < first);
        let count = self.spans[from..].partition_point(|found| found.span.start <= last);
        &self.spans[from..from + count]
    }
}

impl<'e> Orphans<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut filed = Self::default();
        let orphans = evidence.tasks.orphans();
        if orphans.is_empty() {
            return filed;
        }
        let tasks = TaskNames::of(evidence.tasks.iter().map(|task| task.name(evidence)));
        for (name, keys) in orphans {
            let task = tasks.named_by(name);
            // One that bears the id of a task that is known is that task's, and no riddle.
            let is_named =
                |found: &SpanRef<'_>| found.span.task_id().is_some_and(|id| evidence.tasks.get(id).is_some());
            let found = keys.iter().filter_map(|key| evidence.spans.get(*key));
            let found = found.filter(|found| !is_named(found) && !evidence.is_linked_to_its_sender(*found));
            let (batches, found): (Vec<_>, Vec<_>) = found.partition(|found| found.span.is_batch_run());
            for batch in batches {
                let task = batch.span.detail().task.as_deref().or(task).unwrap_or_default();
                filed.batches.entry(task).or_default().spans.push(batch);
            }
            match task.filter(|_| !found.is_empty()) {
                Some(task) => filed.of_tasks.entry(task).or_default().spans.extend(found),
                None => filed.nameless.spans.extend(found),
            }
        }
        filed.nameless.sort();
        filed.of_tasks.values_mut().chain(filed.batches.values_mut()).for_each(ByStart::sort);
        filed
    }
}

pub(super) fn by_start(found: &SpanRef<'_>) -> (Timestamp, SpanId) {
    (found.span.start, found.span.id)
}
