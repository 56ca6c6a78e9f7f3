//! The tasks that were heard of, from whatever side.
//!
//! A task is filed under its id, which the message, both spans of the Celery
//! instrumentor and the key of the result share. Spans name no broker, and
//! Celery's ids are random UUIDs, so the id alone is the key.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::age::{Age, Ages, Unit};
use super::broker::Observation;
use super::spans::{SpanKey, SpanStore, StoredSpan};
use crate::model::weight::{allocation, in_map};
use crate::model::{Message, MessageState, SpanId, TaskResult, Timestamp, TraceId};

/// Everything that was seen under one task id.
#[derive(Debug)]
pub struct Task {
    pub id: Arc<str>,
    /// PRODUCER spans that name it, whoever made them.
    pub producers: SmallVec<[SpanKey; 1]>,
    /// CONSUMER spans that carry the id.
    pub consumers: SmallVec<[SpanKey; 1]>,
    /// The message of each attempt, with every observation of it.
    pub messages: Vec<Delivery>,
    pub result: Option<Box<TaskResult>>,
    pub age: Age,
}

impl Task {
    fn new(id: Arc<str>, age: Age) -> Self {
        Self {
            id,
            producers: SmallVec::new(),
            consumers: SmallVec::new(),
            messages: Vec::new(),
            result: None,
            age,
        }
    }

    /// Every trace that it has a part in, with those that its messages name.
    pub fn traces(&self) -> impl Iterator<Item = TraceId> {
        let spans = self.producers.iter().chain(&self.consumers).map(|key| key.trace_id);
        spans.chain(self.contexts().map(|context| context.trace_id))
    }

    /// The contexts that its messages carry.
    pub fn contexts(&self) -> impl Iterator<Item = ContextKey> {
        let carried = self.messages.iter().flat_map(|delivery| &delivery.message.contexts);
        carried
            .filter_map(|carried| carried.context())
            .map(|context| SpanKey { trace_id: context.trace_id, span_id: context.span_id })
    }

    /// About how many bytes it takes, its entry included.
    pub fn bytes(&self) -> usize {
        let messages: usize = self.messages.iter().map(Delivery::bytes).sum();
        ENTRY + messages + self.result.as_ref().map_or(0, |_| RESULT)
    }
}

/// What a task takes without its messages and its result: the entry, the id.
const ENTRY: usize = in_map(size_of::<(Arc<str>, Box<Task>)>()) + allocation(size_of::<Task>()) + 64;
/// What a delivery takes beside its message.
const MESSAGE: usize =
    size_of::<Delivery>() + size_of::<Message>() + Delivery::OBSERVATIONS * size_of::<Observation>();
/// What a result takes, with an exception and a traceback as they are kept.
const RESULT: usize = size_of::<TaskResult>() + 512;
/// What an entry of an index takes: a context, and a task or a span.
const INDEXED: usize = in_map(size_of::<(ContextKey, SmallVec<[Continuation; 1]>)>()) + 64;

/// About how many bytes a message takes beside its own.
fn weight(message: &Message) -> usize {
    const SIGHTING: usize = 256;
    message.contexts.len() * SIGHTING + message.args.as_deref().map_or(0, str::len) + 256
}

/// One attempt's message, over all looks at the broker.
#[derive(Debug)]
pub struct Delivery {
    /// As its producer wrote it, and where it was seen last in its list.
    pub message: Arc<Message>,
    /// The broker's name.
    pub broker: Arc<str>,
    /// In the order of their time, what is alike cut to its first and its last.
    pub observations: Vec<Observation>,
}

impl Delivery {
    /// How many observations are kept of one message: the first and the latest.
    const OBSERVATIONS: usize = 8;

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        MESSAGE + weight(&self.message)
    }

    /// Of a message that lay there at look after look only the first observation of it
    /// and the last one say anything, and only the last place in its list is
    /// one where it may be found. Says whether this one is news: other than the
    /// last was.
    fn observe(&mut self, observation: Observation, index: Option<u64>) -> bool {
        let is_news = !self.last().is_like(&observation);
        let in_list = self.observations.iter().filter(|seen| seen.state == MessageState::Ready);
        let last_place = match in_list.max() {
            _ if observation.state != MessageState::Ready => self.message.index,
            Some(last) if *last > observation => self.message.index,
            Some(last) if *last == observation => self.message.index.min(index),
            _ => index,
        };
        if self.message.index != last_place {
            Arc::make_mut(&mut self.message).index = last_place;
        }
        let place = self.observations.partition_point(|earlier| *earlier < observation);
        if self.observations.get(place) != Some(&observation) {
            self.observations.insert(place, observation);
        }
        for between in (place.saturating_sub(1)..=place + 1).rev() {
            let is_same =
                |one: usize| self.observations.get(one).is_some_and(|one| one.is_like(&observation));
            if between > 0 && is_same(between - 1) && is_same(between) && is_same(between + 1) {
                self.observations.remove(between);
            }
        }
        if self.observations.len() > Self::OBSERVATIONS {
            self.observations.remove(1);
        }
        is_news
    }

    /// How many times it was seen to be handed to the workers: once, and once
    /// more each time that one gave it back.
    pub fn deliveries(&self) -> usize {
        let pairs = self.observations.iter().zip(self.observations.iter().skip(1));
        let given_back = pairs.filter(|(earlier, later)| {
            let was_held = earlier.state != MessageState::Ready && later.state == MessageState::Ready;
            later.redelivered && (was_held || !earlier.redelivered)
        });
        1 + given_back.count()
    }

    pub fn first(&self) -> Observation {
        self.observations[0]
    }

    pub fn last(&self) -> Observation {
        self.observations[self.observations.len() - 1]
    }
}

/// A span context: what a carrier hands over.
pub type ContextKey = SpanKey;

/// A span that was started from a context, in the order of its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Continuation {
    start: Timestamp,
    span_id: SpanId,
    trace_id: TraceId,
}

impl Continuation {
    pub const fn key(&self) -> SpanKey {
        SpanKey { trace_id: self.trace_id, span_id: self.span_id }
    }
}

/// All tasks, with the ways to find them: in seeded maps, as ids come from outside.
#[derive(Default, Debug)]
pub struct Tasks {
    known: HashMap<Arc<str>, Box<Task>>,
    bytes: usize,
    results: u64,
    /// Tasks by each context that one of their messages carries, in the order of
    /// their ids: a carrier that is used again may be that of ten thousand.
    carried: HashMap<ContextKey, SmallVec<[Arc<str>; 1]>>,
    /// Hand-made consumer spans, which carry no id, by the context that they
    /// were started from, their parent or the target of a link; by start.
    continued: HashMap<ContextKey, SmallVec<[Continuation; 1]>>,
    /// Hand-made consumer spans that name a message: the id may be a task's.
    named: HashMap<Box<str>, SmallVec<[SpanKey; 1]>>,
    /// Hand-made consumer spans that began a trace of their own, with a link or
    /// without, by their name.
    orphans: BTreeMap<Arc<str>, Vec<SpanKey>>,
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

    /// Says that something new came for a task.
    fn touch<'t>(task: &'t mut Task, ages: &mut Ages) -> &'t mut Task {
        ages.touch(&mut task.age, || Unit::Task(Arc::clone(&task.id)));
        task
    }

    /// Takes an observation of a message. One that was seen before touches its task
    /// only where something about it changed.
    pub fn add_message(
        &mut self,
        message: Message,
        broker: &Arc<str>,
        observation: Observation,
        ages: &mut Ages,
    ) {
        for context in message.contexts.iter().filter_map(|carried| carried.context()) {
            let key = SpanKey { trace_id: context.trace_id, span_id: context.span_id };
            let carriers = self.carried.entry(key).or_default();
            if let Err(place) = carriers.binary_search_by(|id| (**id).cmp(&message.id)) {
                carriers.insert(place, (*message.id).into());
                self.bytes += INDEXED;
            }
        }
        let task = self.entry(&message.id, ages);
        let attempt = message.retries;
        let place = task
            .messages
            .binary_search_by(|known| (known.message.retries, &known.broker).cmp(&(attempt, broker)));
        if let Ok(known) = place {
            let known = &mut task.messages[known];
            // The earliest observation has what the producer wrote; a broker may add
            // to a message that it delivers again.
            let index = message.index;
            if observation < known.first() {
                known.message = Arc::new(Message { index: known.message.index, ..message });
            }
            if known.observe(observation, index) {
                Self::touch(task, ages);
            }
            return;
        }
        let grown = MESSAGE + weight(&message);
        let delivery = Delivery {
            message: Arc::new(message),
            broker: Arc::clone(broker),
            observations: vec![observation],
        };
        task.messages.insert(place.unwrap_or_else(|place| place), delivery);
        Self::touch(task, ages);
        self.bytes += grown;
    }

    /// Takes another observation of a message that is known, and its index in its
    /// list. Says whether it is known.
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
        if task.result.as_deref() == Some(&result) {
            return;
        }
        Self::touch(task, ages);
        let is_newer = task.result.as_ref().is_none_or(|known| {
            (result.status.is_final(), result.done) >= (known.status.is_final(), known.done)
        });
        if is_newer {
            let is_first = task.result.replace(Box::new(result)).is_none();
            self.results += u64::from(is_first);
            self.bytes += if is_first { RESULT } else { 0 };
        }
    }

    /// Says that a message is gone that was there before.
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
        let continuation = Continuation { start, span_id: span.span_id, trace_id: span.trace_id };
        let known = self.continued.entry(context).or_default();
        let place = known.partition_point(|earlier| *earlier <= continuation);
        known.insert(place, continuation);
        self.bytes += INDEXED;
    }

    /// A hand-made consumer span that names a message by this id.
    pub fn add_named(&mut self, id: &str, span: SpanKey) {
        self.bytes += INDEXED;
        match self.named.get_mut(id) {
            Some(spans) => spans.push(span),
            None => {
                self.named.insert(id.into(), SmallVec::from([span]));
            }
        }
    }

    /// The hand-made consumer spans that name a message by this id.
    pub fn named(&self, id: &str) -> &[SpanKey] {
        self.named.get(id).map_or(&[], SmallVec::as_slice)
    }

    /// A consumer span without a parent that the instrumentor did not make.
    pub fn add_orphan(&mut self, name: &Arc<str>, span: SpanKey) {
        self.bytes += allocation(size_of::<SpanKey>());
        self.orphans.entry(Arc::clone(name)).or_default().push(span);
    }

    /// The hand-made consumer spans that began a trace of their own, by name.
    pub fn orphans(&self) -> &BTreeMap<Arc<str>, Vec<SpanKey>> {
        &self.orphans
    }

    /// Whether any message carries a context at all.
    pub fn carries_contexts(&self) -> bool {
        !self.carried.is_empty()
    }

    /// The tasks whose messages carry `context`, in the order of their ids.
    pub fn carrying(&self, context: ContextKey) -> &[Arc<str>] {
        self.carried.get(&context).map_or(&[], SmallVec::as_slice)
    }

    /// The hand-made consumer spans that were started from `context`, by start.
    pub fn continuations(&self, context: ContextKey) -> &[Continuation] {
        self.continued.get(&context).map_or(&[], SmallVec::as_slice)
    }

    /// Contexts that no message carries and from which hand-made consumer spans
    /// were started, with those spans.
    pub fn uncarried(&self) -> impl Iterator<Item = (ContextKey, &[Continuation])> {
        let uncarried = self.continued.iter().filter(|(context, _)| !self.carried.contains_key(*context));
        uncarried.map(|(context, spans)| (*context, spans.as_slice()))
    }

    /// Contexts that more than one task's messages carry.
    pub fn shared_contexts(&self) -> impl Iterator<Item = (ContextKey, &[Arc<str>])> {
        self.carried.iter().filter(|(_, tasks)| tasks.len() > 1).map(|(key, tasks)| (*key, tasks.as_slice()))
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

    /// How many tasks have a result, those that were let go included.
    pub fn results(&self) -> u64 {
        self.results
    }

    /// About how many bytes the tasks that are here take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets a task go. Its entries in the indices stay until [`Tasks::sweep`].
    pub fn remove(&mut self, id: &str) -> Option<Task> {
        let task = *self.known.remove(id)?;
        self.bytes = self.bytes.saturating_sub(task.bytes());
        Some(task)
    }

    /// Takes a span out of all that it is filed under: another content came with
    /// its id, and is filed instead.
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
        let parent = span.parent.map(|parent| SpanKey { trace_id: key.trace_id, span_id: parent });
        let links = span.detail().links.iter();
        let links = links.map(|link| SpanKey { trace_id: link.trace_id, span_id: link.span_id });
        for context in parent.into_iter().chain(links) {
            if let Some(known) = self.continued.get_mut(&context) {
                let before = known.len();
                known.retain(|continuation| continuation.key() != key);
                self.bytes = self.bytes.saturating_sub((before - known.len()) * INDEXED);
                if known.is_empty() {
                    self.continued.remove(&context);
                }
            }
        }
        if let Some(id) = span.detail().message_id.as_deref()
            && let Some(known) = self.named.get_mut(id)
        {
            let before = known.len();
            known.retain(|known| *known != key);
            self.bytes = self.bytes.saturating_sub((before - known.len()) * INDEXED);
            if known.is_empty() {
                self.named.remove(id);
            }
        }
        if let Some(known) = self.orphans.get_mut(&span.name) {
            let before = known.len();
            known.retain(|known| *known != key);
            let freed = (before - known.len()) * allocation(size_of::<SpanKey>());
            self.bytes = self.bytes.saturating_sub(freed);
            if known.is_empty() {
                self.orphans.remove(&span.name);
            }
        }
    }

    /// Clears the indices of what is not here any more. It looks at all of
    /// them, so it is called once for many that were let go.
    pub fn sweep(&mut self, spans: &SpanStore) {
        let is_here = |key: &SpanKey| spans.trace(key.trace_id).is_some();
        let mut freed = 0;
        let known = &self.known;
        self.carried.retain(|_, ids| {
            let before = ids.len();
            ids.retain(|id| known.contains_key(id));
            freed += (before - ids.len()) * INDEXED;
            !ids.is_empty()
        });
        self.continued.retain(|_, keys| {
            let before = keys.len();
            keys.retain(|continuation| is_here(&continuation.key()));
            freed += (before - keys.len()) * INDEXED;
            !keys.is_empty()
        });
        self.named.retain(|_, keys| {
            let before = keys.len();
            keys.retain(|key| is_here(key));
            freed += (before - keys.len()) * INDEXED;
            !keys.is_empty()
        });
        self.orphans.retain(|_, keys| {
            let before = keys.len();
            keys.retain(is_here);
            freed += (before - keys.len()) * allocation(size_of::<SpanKey>());
            !keys.is_empty()
        });
        self.bytes = self.bytes.saturating_sub(freed);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{MissingParts, Protocol};

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

    proptest! {
        /// It is given back to the end at which it is taken, and moves up while
        /// newer ones are published.
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
