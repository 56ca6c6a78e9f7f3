//! Hand-made consumer spans that began a trace of their own, filed so that those of a
//! hand-off are found without a search.

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Handoff, Process, SpanRef, TaskNames};
use crate::model::{CeleryAction, Set, SpanId, Timestamp};

/// Hand-made consumer spans that began a trace of their own.
#[derive(Default, Debug)]
pub struct Orphans<'e> {
    /// By the task whose name the span's name contains.
    of_tasks: BTreeMap<&'e str, ByStart<'e>>,
    /// Those whose name contains no task's name.
    nameless: ByStart<'e>,
    /// The runs of batches without a link to a message, by task. The instrumentor makes
    /// these, and they name no message.
    batches: BTreeMap<&'e str, ByStart<'e>>,
}

/// Spans in the order of their start, so that those of a given time are found without
/// looking through all.
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

    /// From the first span that had not ended by `time`.
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

/// The processes in which Celery's instrumentor makes spans of publishes and none of a run:
/// they run no tasks, and what they consume by hand is of another messaging system.
fn that_publish_only(evidence: &Evidence) -> Set<&Process> {
    let (mut publish, mut run) = (Set::default(), Set::default());
    for task in evidence.tasks.iter() {
        for key in task.producers.iter().chain(&task.consumers) {
            let Some(found) = evidence.spans.get(*key) else { continue };
            match found.span.attributes().action {
                Some(CeleryAction::ApplyAsync) => publish.insert(&*found.span.process),
                Some(CeleryAction::Run) => run.insert(&*found.span.process),
                None => false,
            };
        }
    }
    publish.retain(|process: &&Process| process.is_identified() && !run.contains(process));
    publish
}

impl<'e> Orphans<'e> {
    /// How many of the roots that may belong to a hand-off are looked at.
    const LOOKALIKES: usize = 10;

    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut filed = Self::default();
        let orphans = evidence.tasks.orphans();
        if orphans.is_empty() {
            return filed;
        }
        let tasks = TaskNames::of(evidence.tasks.iter().map(|task| task.name(evidence)));
        let publishing = that_publish_only(evidence);
        for (name, keys) in orphans {
            let task = tasks.named_by(name);
            // A span with the id of a known task is that task's.
            let is_named =
                |found: &SpanRef<'_>| found.span.task_id().is_some_and(|id| evidence.tasks.get(id).is_some());
            let found = keys.iter().filter_map(|key| evidence.spans.get(*key));
            let found = found.filter(|found| !is_named(found) && !evidence.is_linked_to_its_sender(*found));
            let found = found.filter(|found| !publishing.contains(&*found.span.process));
            let (batches, found): (Vec<_>, Vec<_>) = found.partition(|found| found.span.is_batch_run());
            for batch in batches {
                let task = batch.span.attributes().task.as_deref().or(task).unwrap_or_default();
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

    /// The roots that may be the run of a hand-off without a consumer: those with its
    /// task's name and attempt, or all of them if no root has a task's name.
    pub fn candidate_runs(&self, handoff: &Handoff<'_>) -> Vec<SpanRef<'e>> {
        if !handoff.consumers.is_empty() || handoff.task.is_empty() {
            return Vec::new();
        }
        let candidates = self.of_tasks.get(handoff.task).unwrap_or(&self.nameless);
        let is_possible = |found: &&SpanRef<'_>| {
            let attempt = found.span.attributes().retries;
            let sent = handoff.producer.map(|producer| producer.span.start);
            attempt.is_none_or(|attempt| attempt == handoff.attempt)
                && sent.is_none_or(|sent| found.span.end >= sent)
        };
        let sent = handoff.producer.map(|producer| producer.span.start).unwrap_or_default();
        candidates.unless_ended_by(sent).iter().filter(is_possible).take(Self::LOOKALIKES).copied().collect()
    }

    /// The roots that carry the name of a task.
    pub fn of_task(&self, task: &str) -> &[SpanRef<'e>] {
        self.of_tasks.get(task).map_or(&[], |found| &found.spans)
    }

    /// Those that started from `first` to `last`.
    pub fn of_task_within(&self, task: &str, first: Timestamp, last: Timestamp) -> &[SpanRef<'e>] {
        self.of_tasks.get(task).map_or(&[], |found| found.started_within(first, last))
    }

    /// Tasks whose name a root carries.
    pub fn tasks(&self) -> impl Iterator<Item = &'e str> + '_ {
        self.of_tasks.keys().copied()
    }

    /// The roots that carry no task's name.
    pub fn nameless(&self) -> &[SpanRef<'e>] {
        &self.nameless.spans
    }

    /// Of the runs of this task's batches without a link to a message, the first that began
    /// at or after `since`.
    pub fn unlinked_batch(&self, task: &str, since: Timestamp) -> Option<SpanRef<'e>> {
        let batches = self.batches.get(task)?;
        batches.spans.get(batches.spans.partition_point(|run| run.span.start < since)).copied()
    }

    /// The runs of batches without a link to a message, by task.
    pub fn unlinked_batches(&self) -> impl Iterator<Item = (&'e str, &[SpanRef<'e>])> + '_ {
        self.batches.iter().map(|(task, batches)| (*task, &*batches.spans))
    }
}

pub(super) fn by_start(found: &SpanRef<'_>) -> (Timestamp, SpanId) {
    (found.span.start, found.span.id)
}
