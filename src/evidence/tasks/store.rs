//! The tasks that were seen, from whatever side.
//!
//! A task is filed under its id, which is shared by the message, both spans of the Celery
//! instrumentor and the key of the result. Spans name no broker, and Celery's ids are
//! random UUIDs, so the id alone is the key.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::delivery::{Delivery, Observation};
use super::index::{ContextKey, Continuation, Index};
use super::task::{ENTRY, RESULT, Task};
use crate::evidence::age::Ages;
use crate::evidence::spans::{SpanKey, SpanStore, StoredSpan};
use crate::evidence::unit::Unit;
use crate::model::{Map, Message, TaskResult, Timestamp};

/// All tasks, in a seeded map, as ids come from outside.
#[derive(Default, Debug)]
pub struct Tasks {
    known: Map<Arc<str>, Box<Task>>,
    bytes: usize,
    results: u64,
    index: Index,
}

impl Tasks {
    pub fn get(&self, id: &str) -> Option<&Task> {
        self.known.get(id).map(|task| &**task)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.known.get_mut(id).map(|task| &mut **task)
    }

    /// What is known under an id.
    fn entry(&mut self, id: &str, ages: &mut Ages) -> &mut Task {
        if !self.known.contains_key(id) {
            let id: Arc<str> = id.into();
            let age = ages.begin(|| Unit::Task(Arc::clone(&id)));
            self.bytes += ENTRY;
            self.known.insert(Arc::clone(&id), Box::new(Task::new(id, age)));
        }
        self.known.get_mut(id).expect("inserted above")
    }

    /// Notes that something new came for a task.
    fn touch<'t>(task: &'t mut Task, ages: &mut Ages) -> &'t mut Task {
        ages.touch(&mut task.age, || Unit::Task(Arc::clone(&task.id)));
        task
    }

    /// Takes an observation of a message. If the message is known, its task counts as
    /// changed only if something about it changed.
    pub fn add_message(
        &mut self,
        message: Message,
        broker: &Arc<str>,
        observation: Observation,
        ages: &mut Ages,
    ) {
        for context in message.contexts.iter().filter_map(|carried| carried.context()) {
            let key = SpanKey { trace_id: context.trace_id, span_id: context.span_id };
            self.index.add_carried(key, &message.id);
        }
        let task = self.entry(&message.id, ages);
        let attempt = message.retries;
        let place = task
            .messages
            .binary_search_by(|known| (known.message.retries, &known.broker).cmp(&(attempt, broker)));
        if let Ok(known) = place {
            let known = &mut task.messages[known];
            // The earliest observation shows what the producer wrote; a broker may add to a
            // message that it delivers again. Of two at the same time the one that is read
            // first is no better than the other, so their content decides.
            let index = message.index;
            let message = Message { index: known.message.index, ..message };
            let is_first = match observation.cmp(&known.first()) {
                Ordering::Less => true,
                Ordering::Equal => message < *known.message,
                Ordering::Greater => false,
            };
            if is_first {
                known.message = Arc::new(message);
            }
            if known.observe(observation, index) {
                Self::touch(task, ages);
            }
            return;
        }
        let delivery = Delivery {
            message: Arc::new(message),
            broker: Arc::clone(broker),
            observations: vec![observation],
        };
        let grown = delivery.bytes();
        task.messages.insert(place.unwrap_or_else(|place| place), delivery);
        Self::touch(task, ages);
        self.bytes += grown;
    }

    /// Takes another observation of a known message, and its index in its list. Returns
    /// whether the message is known.
    pub fn observe_unchanged(
        &mut self,
        id: &str,
        attempt: u32,
        broker: &Arc<str>,
        (observation, index): (Observation, Option<u64>),
        ages: &mut Ages,
    ) -> bool {
        let Some(task) = self.known.get_mut(id) else { return false };
        let mut messages = task.messages.iter_mut();
        let known = messages.find(|known| known.message.retries == attempt && known.broker == *broker);
        let Some(known) = known.filter(|known| known.first() <= observation) else { return false };
        if known.observe(observation, index) {
            Self::touch(task, ages);
        }
        true
    }

    pub fn add_result(&mut self, result: TaskResult, ages: &mut Ages) {
        let task = self.entry(&result.task_id, ages);
        if let Some(known) = task.result.as_mut().filter(|known| known.says_the_same_as(&result)) {
            known.seen = known.seen.max(result.seen);
            return;
        }
        Self::touch(task, ages);
        if task.result.as_ref().is_none_or(|known| result.supersedes(known)) {
            let is_first = task.result.replace(Box::new(result)).is_none();
            self.results += u64::from(is_first);
            self.bytes += if is_first { RESULT } else { 0 };
        }
    }

    /// Notes that a message is gone that was there before.
    pub fn message_left(&mut self, id: &str, ages: &mut Ages) {
        if let Some(task) = self.known.get_mut(id) {
            Self::touch(task, ages);
        }
    }

    pub fn add_producer(&mut self, id: &str, span: SpanKey, ages: &mut Ages) {
        let task = self.entry(id, ages);
        Self::touch(task, ages).producers.push(span);
    }

    pub fn add_consumer(&mut self, id: &str, span: SpanKey, ages: &mut Ages) {
        let task = self.entry(id, ages);
        Self::touch(task, ages).consumers.push(span);
    }

    /// A consumer span without an id that was started from `context`.
    pub fn add_continuation(&mut self, context: ContextKey, span: SpanKey, start: Timestamp) {
        self.index.add_continuation(context, span, start);
    }

    /// A hand-made consumer span that names a message by this id.
    pub fn add_named(&mut self, id: &str, span: SpanKey) {
        self.index.add_named(id, span);
    }

    /// The hand-made consumer spans that name a message by this id.
    pub fn named(&self, id: &str) -> &[SpanKey] {
        self.index.named(id)
    }

    /// A consumer span without a parent that the instrumentor did not make.
    pub fn add_orphan(&mut self, name: &Arc<str>, span: SpanKey) {
        self.index.add_orphan(name, span);
    }

    /// The hand-made consumer spans that began a trace of their own, by name.
    pub fn orphans(&self) -> &BTreeMap<Arc<str>, Vec<SpanKey>> {
        self.index.orphans()
    }

    /// Whether any message carries a context at all.
    pub fn carries_contexts(&self) -> bool {
        self.index.carries_contexts()
    }

    /// The tasks whose messages carry `context`, in the order of their ids.
    pub fn carrying(&self, context: ContextKey) -> &[Arc<str>] {
        self.index.carrying(context)
    }

    /// The hand-made consumer spans that were started from `context`, by start.
    pub fn continuations(&self, context: ContextKey) -> &[Continuation] {
        self.index.continuations(context)
    }

    /// Contexts that no message carries but from which hand-made consumer spans were
    /// started, with those spans.
    pub fn uncarried(&self) -> impl Iterator<Item = (ContextKey, &[Continuation])> {
        self.index.uncarried()
    }

    /// Contexts that more than one task's messages carry.
    pub fn shared_contexts(&self) -> impl Iterator<Item = (ContextKey, &[Arc<str>])> {
        self.index.shared_contexts()
    }

    /// In no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.known.values().map(|task| &**task)
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// How many tasks have a result, including those that were let go.
    pub fn results(&self) -> u64 {
        self.results
    }

    /// About how many bytes the tasks and their indices take.
    pub fn bytes(&self) -> usize {
        self.bytes + self.index.bytes()
    }

    /// Lets a task go. Its entries in the index stay until [`Tasks::sweep`].
    pub fn remove(&mut self, id: &str) -> Option<Task> {
        let task = *self.known.remove(id)?;
        self.bytes = self.bytes.saturating_sub(task.bytes());
        Some(task)
    }

    /// Removes a span from all that it is filed under, because other content came under its
    /// id and is filed instead.
    pub fn unfile(&mut self, key: SpanKey, span: &StoredSpan) {
        if let Some(id) = span.task_id()
            && let Some(task) = self.known.get_mut(id)
        {
            task.producers.retain(|known| *known != key);
            task.consumers.retain(|known| *known != key);
            if task.producers.is_empty()
                && task.consumers.is_empty()
                && task.messages.is_empty()
                && task.result.is_none()
            {
                self.remove(id);
            }
        }
        self.index.unfile(key, span);
    }

    /// Clears the index of what is gone. It goes through the whole index, so it is called
    /// once for many that were let go.
    pub fn sweep(&mut self, spans: &SpanStore) {
        let known = &self.known;
        self.index.sweep(|id| known.contains_key(id), spans);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{MessageState, MissingParts, Protocol};

    fn seen_at(index: Option<u64>) -> Message {
        Message {
            protocol: Protocol::Two,
            task: "pay".into(),
            id: "1".into(),
            list: None,
            root_id: None,
            parent_id: None,
            group: None,
            retries: 0,
            eta: None,
            expires: None,
            origin: None,
            exchange: "".into(),
            routing_key: "celery".into(),
            redelivered: false,
            from_beat: false,
            hand_made: false,
            lang: None,
            missing: MissingParts::default(),
            contexts: Vec::new(),
            empty_carriers: Vec::new(),
            baggage: Vec::new(),
            other_headers: Vec::new(),
            chain_next: None,
            hands_on: false,
            args: None,
            queue: "celery".into(),
            state: index.map_or(MessageState::Unacked, |_| MessageState::Ready),
            priority: 0,
            index,
        }
    }

    /// Regression: the one that was read first was kept.
    #[test]
    fn of_two_that_lie_there_at_once_the_same_is_kept_in_any_order() {
        let [one, other] = ["orders", "celery"].map(|queue| Message { queue: queue.into(), ..seen_at(None) });
        for order in [[&one, &other], [&other, &one]] {
            let (mut tasks, mut ages) = (Tasks::default(), Ages::default());
            for message in order {
                let observation =
                    Observation { at: Timestamp::from_nanos(1), state: message.state, redelivered: false };
                tasks.add_message(message.clone(), &"redis".into(), observation, &mut ages);
            }
            assert_eq!(*tasks.get("1").expect("it was seen").messages[0].message, other);
        }
    }

    proptest! {
        /// A message that is given back returns to the end at which messages are taken, and
        /// its index changes while newer ones are published.
        #[test]
        fn a_message_lies_where_it_was_seen_last(
            order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
        ) {
            let places = [Some(0), Some(2), None, Some(5), Some(7), None];
            let (mut tasks, mut ages) = (Tasks::default(), Ages::default());
            for at in order {
                let message = seen_at(places[at]);
                let observation = Observation { at: Timestamp::from_nanos(at as u64 + 1), state: message.state, redelivered: false };
                tasks.add_message(message, &"redis".into(), observation, &mut ages);
            }
            let known = &tasks.get("1").expect("it was seen").messages[0];
            prop_assert_eq!((known.message.index, known.message.state), (Some(7), MessageState::Ready));
        }
    }
}
