//! Where what a broker holds comes in: each message, each result, and the look.

use std::sync::Arc;

use super::Evidence;
use super::broker::Look;
use super::broker::RequestedQueues;
use super::tasks::Observation;
use crate::model::{Message, TaskResult, Timestamp};
use crate::wire::broker::{Binding, BrokerSink, Completeness, PlainMessage, QueueDepth, UnchangedMessage};

/// How the messages of a look are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Each by itself, to be joined with spans and results.
    Each,
    /// By class: however many messages there are, they take the memory of their kinds.
    Counted,
}

/// Takes a look at a broker into the evidence, or what `MONITOR` showed at one time. A look
/// is filed at its end. If it is not filed, nothing is concluded from what it did not find.
#[derive(Debug)]
pub struct BrokerIntake<'e> {
    evidence: &'e mut Evidence,
    broker: Arc<str>,
    keep: Keep,
    look: Look,
    /// The ids of the tasks whose messages were found, where the caller wants them.
    task_ids: Option<Vec<Box<str>>>,
    /// Entries that are no Celery message, and how many of them were counted before.
    foreign: u64,
    counted: u64,
}

impl<'e> BrokerIntake<'e> {
    /// For the broker of this name, at this time.
    pub fn new(evidence: &'e mut Evidence, broker: &str, at: Timestamp, keep: Keep) -> Self {
        let look = Look { at, ..Look::default() };
        Self { evidence, broker: broker.into(), keep, look, task_ids: None, foreign: 0, counted: 0 }
    }

    /// Notes the tasks whose messages are found, for [`BrokerIntake::into_task_ids`].
    #[must_use]
    pub fn noting_task_ids(self) -> Self {
        Self { task_ids: Some(Vec::new()), ..self }
    }

    /// This many entries that are no Celery message were counted before: the same ones lie
    /// there at every look. With `u64::MAX` none is counted.
    #[must_use]
    pub fn with_counted(self, foreign: u64) -> Self {
        Self { counted: foreign, ..self }
    }

    /// Takes only what belongs to the queues that the user asked for.
    pub fn only(&mut self, requested: RequestedQueues) {
        self.look.requested = Some(requested);
    }

    fn is_wanted(&self, queue: &str) -> bool {
        self.look.requested.as_ref().is_none_or(|requested| requested.has(queue))
    }

    /// How many entries are no Celery message, including those that were counted before.
    pub const fn foreign_entries(&self) -> u64 {
        self.foreign
    }

    /// Notes entries that were left out because the list moved.
    pub fn read_twice(&mut self, entries: u64) {
        self.evidence.counts.messages_read_twice += entries;
    }

    /// The ids of the tasks whose messages were found, where they were noted.
    pub fn into_task_ids(self) -> Vec<Box<str>> {
        self.task_ids.unwrap_or_default()
    }
}

impl BrokerSink for BrokerIntake<'_> {
    fn share(&mut self, name: &str) -> Arc<str> {
        self.evidence.names.share(name)
    }

    fn looked_for_workers(&mut self) {
        self.look.workers.get_or_insert_default();
    }

    fn worker(&mut self, name: &str) {
        self.look.workers.get_or_insert_default().insert(name.into());
    }

    fn exchange(&mut self, name: &str) {
        self.look.routes.exchanges.insert(name.into());
    }

    fn binding(&mut self, binding: Binding<'_>) {
        let routes = &mut self.look.routes;
        routes.exchanges.insert(binding.exchange.into());
        routes.routing_keys.insert(binding.routing_key.into());
        routes.queues.insert(binding.queue.into());
    }

    fn scheduled(&mut self, key: &str, task: &str) {
        /// How many tasks that a scheduler publishes are remembered.
        const TASKS: usize = 1_000;
        let entries = &mut self.evidence.schedule;
        let first = entries.entry(task.into()).or_insert_with(|| key.into());
        if key < &**first {
            *first = key.into();
        }
        if entries.len() > TASKS {
            entries.pop_last();
        }
    }

    fn counts(&self) -> bool {
        self.keep == Keep::Counted
    }

    fn plain_message(
        &mut self,
        message: &PlainMessage<'_>,
        whole: impl FnOnce(&mut dyn FnMut(&str) -> Arc<str>) -> Option<Message>,
    ) {
        if !self.is_wanted(message.queue) {
            return;
        }
        let Evidence { class_counts, names, .. } = &mut *self.evidence;
        class_counts
            .count_plain(message, &self.broker, self.look.at, || whole(&mut |name| names.share(name)));
    }

    fn message(&mut self, message: Message) {
        if !self.is_wanted(&message.queue) {
            return;
        }
        if let Some(ids) = &mut self.task_ids {
            ids.push(message.id.clone());
        }
        match self.keep {
            Keep::Each => self.evidence.add_message(message, &self.broker, self.look.at),
            Keep::Counted => self.evidence.class_counts.count(message, &self.broker, self.look.at),
        }
    }

    fn unchanged_message(&mut self, unchanged: &UnchangedMessage<'_>) -> bool {
        let observation =
            Observation { at: self.look.at, state: unchanged.state, redelivered: unchanged.redelivered };
        let Evidence { tasks, ages, .. } = &mut *self.evidence;
        let is_known = tasks.observe_unchanged(
            unchanged.id,
            unchanged.attempt,
            &self.broker,
            (observation, unchanged.index),
            ages,
        );
        if let Some(ids) = self.task_ids.as_mut().filter(|_| is_known) {
            ids.push(unchanged.id.into());
        }
        is_known
    }

    fn result(&mut self, result: TaskResult) {
        self.evidence.add_result(TaskResult { seen: self.look.at, ..result });
    }

    fn foreign(&mut self) {
        self.foreign += 1;
        if self.foreign > self.counted {
            self.evidence.counts.foreign_entries += 1;
        }
    }

    fn queue(&mut self, name: Arc<str>, depth: QueueDepth) {
        match &mut self.look.requested {
            Some(requested) if !requested.has(&name) => requested.add_other(name),
            _ => drop(self.look.queues.insert(name, depth)),
        }
    }

    fn end_look(&mut self, completeness: Completeness) {
        let look = Look { at: self.look.at, ..Look::default() };
        let mut look = std::mem::replace(&mut self.look, look);
        look.unacked_complete = completeness.held;
        look.ended_early = completeness.ended_early || completeness.left_out > 0;
        look.complete_since = completeness.since.map(|since| since.min(look.at));
        if let Some(requested) = &mut look.requested {
            requested.end(|queue| look.queues.contains_key(queue));
            // A queue that was not reported may have been passed over.
            look.complete_since = None;
        }
        if completeness.left_out > 0 {
            // What seems to be missing may be among what was left out.
            look.unacked_complete = false;
            look.complete_since = None;
            look.routes.is_cut = true;
            self.evidence.brokers.left_out(&self.broker, completeness.left_out);
        }
        self.evidence.brokers.insert(&self.broker, look);
    }
}
