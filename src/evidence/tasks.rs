//! The tasks that were heard of, from whatever side.
//!
//! A task is filed under its id, which the message, both spans of the Celery
//! instrumentor and the key of the result share. Spans name no broker, and
//! Celery's ids are random UUIDs, so the id alone is the key.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::broker::Sight;
use super::spans::SpanKey;
use crate::model::{Message, TaskResult};

/// Everything that was seen under one task id.
#[derive(Default, Debug)]
pub struct Task {
    pub id: Box<str>,
    /// PRODUCER spans, the instrumentor's.
    pub producers: SmallVec<[SpanKey; 1]>,
    /// CONSUMER spans that carry the id.
    pub consumers: SmallVec<[SpanKey; 1]>,
    /// The message of each attempt, with every sight of it.
    pub messages: Vec<Delivery>,
    pub result: Option<TaskResult>,
}

/// One attempt's message, over all looks at the broker.
#[derive(Debug)]
pub struct Delivery {
    pub message: Arc<Message>,
    /// The broker's name.
    pub broker: Arc<str>,
    /// In the order of their time.
    pub sights: Vec<Sight>,
}

impl Delivery {
    /// How many sights are kept of one message: the first and the latest.
    const SIGHTS: usize = 8;

    fn saw(&mut self, sight: Sight) {
        let place = self.sights.partition_point(|earlier| *earlier < sight);
        if self.sights.get(place) != Some(&sight) {
            self.sights.insert(place, sight);
        }
        if self.sights.len() > Self::SIGHTS {
            self.sights.remove(1);
        }
    }

    pub fn first(&self) -> Sight {
        self.sights[0]
    }

    pub fn last(&self) -> Sight {
        self.sights[self.sights.len() - 1]
    }
}

/// A span context: what a carrier hands over.
pub type ContextKey = SpanKey;

/// All tasks, with the ways to find them.
#[derive(Default, Debug)]
pub struct Tasks {
    known: FxHashMap<Box<str>, Task>,
    /// Tasks by each context that one of their messages carries.
    carried: FxHashMap<ContextKey, SmallVec<[Box<str>; 1]>>,
    /// Hand-made consumer spans, which carry no id, by the context that they
    /// were started from: their parent, or the target of a link.
    continued: FxHashMap<ContextKey, SmallVec<[SpanKey; 1]>>,
    /// Hand-made consumer spans that began a trace of their own, by their name.
    orphans: BTreeMap<Arc<str>, Vec<SpanKey>>,
}

impl Tasks {
    pub fn get(&self, id: &str) -> Option<&Task> {
        self.known.get(id)
    }

    fn entry(&mut self, id: &str) -> &mut Task {
        if !self.known.contains_key(id) {
            self.known.insert(id.into(), Task { id: id.into(), ..Task::default() });
        }
        self.known.get_mut(id).expect("inserted above")
    }

    pub fn saw_message(&mut self, message: Message, broker: &Arc<str>, sight: Sight) {
        for context in message.contexts.iter().filter_map(|sighting| sighting.context()) {
            let key = SpanKey { trace_id: context.trace_id, span_id: context.span_id };
            let carriers = self.carried.entry(key).or_default();
            if !carriers.contains(&message.id) {
                carriers.push(message.id.clone());
            }
        }
        let task = self.entry(&message.id);
        let attempt = message.retries;
        let known = task
            .messages
            .iter_mut()
            .find(|known| known.message.retries == attempt && known.broker == *broker);
        if let Some(known) = known {
            // The earliest sight has what the producer wrote; a broker may add
            // to a message that it delivers again.
            if sight < known.first() {
                known.message = Arc::new(message);
            }
            known.saw(sight);
            return;
        }
        let delivery =
            Delivery { message: Arc::new(message), broker: Arc::clone(broker), sights: vec![sight] };
        let place = task
            .messages
            .partition_point(|known| (known.message.retries, &known.broker) <= (attempt, broker));
        task.messages.insert(place, delivery);
    }

    pub fn saw_result(&mut self, result: TaskResult) {
        let task = self.entry(&result.task_id);
        let is_newer = task.result.as_ref().is_none_or(|known| {
            (result.status.is_final(), result.done) >= (known.status.is_final(), known.done)
        });
        if is_newer {
            task.result = Some(result);
        }
    }

    pub fn saw_producer(&mut self, id: &str, span: SpanKey) {
        self.entry(id).producers.push(span);
    }

    pub fn saw_consumer(&mut self, id: &str, span: SpanKey) {
        self.entry(id).consumers.push(span);
    }

    /// A consumer span without an id that was started from `context`.
    pub fn saw_continuation(&mut self, context: ContextKey, span: SpanKey) {
        self.continued.entry(context).or_default().push(span);
    }

    /// A consumer span without an id and without a parent.
    pub fn saw_orphan(&mut self, name: &Arc<str>, span: SpanKey) {
        self.orphans.entry(Arc::clone(name)).or_default().push(span);
    }

    /// The hand-made consumer spans that began a trace of their own, by name.
    pub fn orphans(&self) -> &BTreeMap<Arc<str>, Vec<SpanKey>> {
        &self.orphans
    }

    /// The tasks whose messages carry `context`.
    pub fn carrying(&self, context: ContextKey) -> &[Box<str>] {
        self.carried.get(&context).map_or(&[], SmallVec::as_slice)
    }

    /// The hand-made consumer spans that were started from `context`.
    pub fn continuations(&self, context: ContextKey) -> &[SpanKey] {
        self.continued.get(&context).map_or(&[], SmallVec::as_slice)
    }

    /// Contexts that more than one task's messages carry.
    pub fn shared_contexts(&self) -> impl Iterator<Item = (ContextKey, &[Box<str>])> {
        self.carried.iter().filter(|(_, tasks)| tasks.len() > 1).map(|(key, tasks)| (*key, tasks.as_slice()))
    }

    /// Contexts from which hand-made consumers were started.
    pub fn continued_contexts(&self) -> impl Iterator<Item = (ContextKey, &[SpanKey])> {
        self.continued.iter().map(|(key, spans)| (*key, spans.as_slice()))
    }

    /// In no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &Task> {
        self.known.values()
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn results(&self) -> u64 {
        self.known.values().filter(|task| task.result.is_some()).count() as u64
    }
}
