//! Counts the messages of long queues by class instead of keeping them.
//!
//! Messages form a class if they are alike in everything that a diagnosis of a queue looks
//! at. A class keeps its count and a few examples, so that a million messages of forty
//! kinds take the memory of forty.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;

use super::tasks::{Delivery, Observation};
use crate::model::memory_size::{allocation, in_map, shared};
use crate::model::{
    ContextFormat, Encoding, FlawKind, MapHash, Message, MessageState, MissingParts, Place, Protocol,
    Sampling, SpanContext, Timestamp,
};
use crate::wire::broker::PlainMessage;

/// Messages that differ in nothing that matters.
#[derive(Debug)]
pub struct Class {
    queue: Arc<str>,
    task: Arc<str>,
    origin: Option<Arc<str>>,
    kind: Kind,
    pub count: u64,
    /// The first few, in the order in which they were read.
    pub examples: Vec<Delivery>,
    /// How many of them carry exactly the context of the one before.
    pub repeated: u64,
    last: Option<SpanContext>,
}

/// What a diagnosis of a queue looks at, besides the names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Kind {
    /// One valid, flat W3C context and no other: its sampled flag, and whether another task
    /// published it.
    Plain {
        sampling: Sampling,
        nested: bool,
        state: MessageState,
    },
    Full(Box<FullKind>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct FullKind {
    state: MessageState,
    protocol: Protocol,
    retried: bool,
    nested: bool,
    from_beat: bool,
    hand_made: bool,
    missing: MissingParts,
    redelivered: bool,
    contexts: Vec<(Place, Encoding, ContextFormat, Result<Sampling, FlawKind>)>,
    /// Whether all its valid contexts name one trace and one span.
    one_trace: bool,
    one_span: bool,
    empty_carriers: usize,
    baggage: bool,
    chain_next: Option<bool>,
}

impl FullKind {
    fn of(message: &Message) -> Self {
        let mut valid = message.contexts.iter().filter_map(|carried| carried.context());
        let first = valid.next();
        let (mut one_trace, mut one_span) = (true, true);
        if let Some(first) = first {
            for other in valid {
                one_trace &= other.trace_id == first.trace_id;
                one_span &= other.span_id == first.span_id;
            }
        }
        let contexts = message.contexts.iter().map(|carried| {
            let reading = carried.reading.as_ref().map(|context| context.sampling).map_err(|flaw| flaw.kind);
            (carried.place.clone(), carried.encoding, carried.format, reading)
        });
        Self {
            state: message.state,
            protocol: message.protocol,
            retried: message.retries > 0,
            nested: is_nested(message),
            from_beat: message.from_beat,
            hand_made: message.hand_made,
            missing: message.missing,
            redelivered: message.redelivered,
            contexts: contexts.collect(),
            one_trace,
            one_span,
            empty_carriers: message.empty_carriers.len(),
            baggage: !message.baggage.is_empty(),
            chain_next: message.chain_next.as_ref().map(|next| next.has_context),
        }
    }
}

/// Whether another task published the message.
fn is_nested(message: &Message) -> bool {
    message.parent_id.as_ref().is_some_and(|parent| *parent != message.id)
}

/// All classes.
#[derive(Default, Debug)]
pub struct ClassCounts {
    classes: HashTable<Class>,
    hasher: MapHash,
    counted: u64,
    bytes: usize,
}

impl ClassCounts {
    /// How many classes are told apart. Messages of further origins are counted together: a
    /// process that lives for one task is an origin of its own.
    pub const CLASSES: usize = 20_000;
    const EXAMPLES: usize = 10;
    const OTHER_ORIGINS: &'static str = "(others)";

    /// Counts a plain message. `whole` reads all of it, and is called only if the class
    /// needs an example.
    pub fn count_plain(
        &mut self,
        message: &PlainMessage<'_>,
        broker: &Arc<str>,
        at: Timestamp,
        whole: impl FnOnce() -> Option<Message>,
    ) {
        let kind =
            Kind::Plain { sampling: message.context.sampling, nested: message.nested, state: message.state };
        let class = self.class(message.queue, message.task, message.origin, kind);
        class.count_context(Some(message.context));
        if class.examples.len() < Self::EXAMPLES
            && let Some(message) = whole()
        {
            self.bytes += class.keep(message, broker, at);
        }
    }

    /// Counts a message that was read completely.
    pub fn count(&mut self, message: Message, broker: &Arc<str>, at: Timestamp) {
        let kind = Kind::Full(Box::new(FullKind::of(&message)));
        let class = self.class(&message.queue, &message.task, message.origin.as_deref(), kind);
        class.count_context(message.contexts.iter().find_map(|carried| carried.context()).copied());
        if class.examples.len() < Self::EXAMPLES {
            self.bytes += class.keep(message, broker, at);
        }
    }

    fn class(&mut self, queue: &Arc<str>, task: &str, origin: Option<&str>, kind: Kind) -> &mut Class {
        self.counted += 1;
        let is_full = self.classes.len() >= Self::CLASSES;
        let origin = if is_full { origin.map(|_| Self::OTHER_ORIGINS) } else { origin };
        let hash = self.hasher.hash_one((&**queue, task, origin, &kind));
        let hasher = &self.hasher;
        self.classes
            .entry(
                hash,
                |class| {
                    class.kind == kind
                        && *class.task == *task
                        && class.origin.as_deref() == origin
                        && class.queue == *queue
                },
                |class| class.hash(hasher),
            )
            .or_insert_with(|| {
                let class = Class {
                    queue: Arc::clone(queue),
                    task: task.into(),
                    origin: origin.map(Into::into),
                    kind,
                    count: 0,
                    examples: Vec::new(),
                    repeated: 0,
                    last: None,
                };
                self.bytes += class.bytes();
                class
            })
            .into_mut()
    }

    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter()
    }

    /// How many messages were counted.
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// About how many bytes the classes and their examples take.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Class {
    fn hash(&self, hasher: &MapHash) -> u64 {
        hasher.hash_one((&*self.queue, &*self.task, self.origin.as_deref(), &self.kind))
    }

    fn count_context(&mut self, context: Option<SpanContext>) {
        self.count += 1;
        if context.is_some() {
            self.repeated += u64::from(self.last == context);
            self.last = context;
        }
    }

    /// Keeps an example, and returns how many bytes it takes.
    fn keep(&mut self, message: Message, broker: &Arc<str>, at: Timestamp) -> usize {
        let observation = Observation { at, state: message.state, redelivered: message.redelivered };
        let (message, broker) = (Arc::new(message), Arc::clone(broker));
        let example = Delivery { message, broker, observations: vec![observation] };
        let bytes = example.bytes();
        self.examples.push(example);
        bytes
    }

    /// About how many bytes it takes before it has an example. The name of its
    /// queue is shared, and counted where it is.
    fn bytes(&self) -> usize {
        let kind = match &self.kind {
            Kind::Plain { .. } => 0,
            Kind::Full(kind) => allocation(size_of::<FullKind>()) + allocation(size_of_val(&*kind.contexts)),
        };
        in_map(size_of::<Self>()) + shared(&self.task) + self.origin.as_deref().map_or(0, shared) + kind
    }
}
