//! Reads what is stored under kombu's keys, and reports it to a sink.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::key_map::{KeyMap, Naming};
use super::keys::{self, Key};
use super::look_cache::{Cached, LookCache};
use crate::model::{MessageState, SpanContext};
use crate::wire::broker::{BrokerSink, Completeness, PlainMessage, QueueDepth, UnchangedMessage};
use crate::wire::celery::bounded;
use crate::wire::celery::text::cut;
use crate::wire::celery::{
    Envelope, NotAMessage, QueuePosition, ReadOptions, read_message, read_result, unacked_envelope,
};
use crate::wire::snapshot::{Bytes, KeyContent, KeyLine};

/// Entries that are no Celery message, by the key that holds them: how many, and what is
/// wrong with the first.
pub type Foreign = BTreeMap<String, (u64, NotAMessage)>;

/// Reads the keys of one broker: each look, and what `MONITOR` shows in between.
#[derive(Debug)]
pub struct RedisReader {
    naming: Naming,
    options: ReadOptions,
    map: KeyMap,
    /// What the last look found, if that is remembered.
    cache: Option<LookCache>,
    /// The queues of this look.
    queues: BTreeMap<Arc<str>, QueueDepth>,
    /// Whether this look read everything that workers hold.
    held_complete: bool,
    foreign: Foreign,
}

impl RedisReader {
    /// For a broker about which nothing is known except how its names are built.
    pub fn new(naming: Naming, options: ReadOptions) -> Self {
        Self {
            map: KeyMap::named(naming.clone()),
            naming,
            options,
            cache: None,
            queues: BTreeMap::new(),
            held_complete: true,
            foreign: Foreign::new(),
        }
    }

    /// With what an earlier look learned about its names.
    #[must_use]
    pub fn with_map(self, map: KeyMap) -> Self {
        Self { map, ..self }
    }

    /// Remembers what each look has read, in at most this many bytes, so that the next one
    /// reads only what has changed.
    #[must_use]
    pub fn remembering(self, bytes: usize) -> Self {
        Self { cache: Some(LookCache::new(bytes)), ..self }
    }

    /// The meaning of its names, as the last look learned it.
    pub const fn map(&self) -> &KeyMap {
        &self.map
    }

    /// The meaning of its names, for another reader.
    pub fn into_map(self) -> KeyMap {
        self.map
    }

    /// About how many bytes it holds between two looks.
    pub fn bytes(&self) -> usize {
        self.map.bytes() + self.cache.as_ref().map_or(0, LookCache::bytes)
    }

    /// Begins a look. Every binding and the name of every list must be announced with
    /// [`RedisReader::announce`] before any list is taken.
    pub fn begin_look(&mut self, sink: &mut impl BrokerSink) {
        self.map = KeyMap::named(self.naming.clone());
        self.queues.clear();
        self.held_complete = true;
        self.foreign.clear();
        sink.looked_for_workers();
    }

    /// Reads a binding, or notes a list's name.
    pub fn announce(&mut self, line: &KeyLine<'_>, sink: &mut impl BrokerSink) {
        let Ok(name) = std::str::from_utf8(&line.key) else { return };
        match &line.content {
            KeyContent::Set(members) => {
                let members = members.iter().filter_map(|member| std::str::from_utf8(member).ok());
                self.set(name, members, sink);
            }
            KeyContent::List(_) => self.announce_list(name),
            _ => {}
        }
    }

    /// Notes a list's name.
    pub fn announce_list(&mut self, name: &str) {
        self.map.announce(name);
    }

    fn set<'m>(&mut self, name: &str, members: impl Iterator<Item = &'m str>, sink: &mut impl BrokerSink) {
        match keys::classify(name) {
            Key::Workers => members.for_each(|member| sink.worker(member)),
            Key::Binding { exchange } => {
                self.map.learn_prefix(name);
                if keys::is_control(exchange) {
                    return;
                }
                sink.exchange(exchange);
                for member in members {
                    if let Some(binding) = self.map.binding(exchange, member) {
                        self.map.bind(binding);
                        sink.binding(binding);
                    }
                }
            }
            _ => {}
        }
    }

    /// The queue to which a list belongs and its priority step, by the bindings
    /// and the names that were announced.
    pub fn queue_of(&mut self, list: &str, sink: &mut impl BrokerSink) -> (Arc<str>, u32) {
        self.map.queue_of(list, |queue| sink.share(queue))
    }

    /// The queue that each name means: the queue with that name, or the queue of the list
    /// with that name. Valid once every binding and list was announced.
    pub fn requested(&mut self, names: &[String], sink: &mut impl BrokerSink) -> Vec<(Box<str>, Arc<str>)> {
        let queue_of = |name: &String| {
            let queue =
                if self.map.is_announced(name) { self.queue_of(name, sink).0 } else { sink.share(name) };
            (name.as_str().into(), queue)
        };
        names.iter().map(queue_of).collect()
    }

    /// Takes what is stored under a key, or a piece of it.
    pub fn take(&mut self, line: &KeyLine<'_>, sink: &mut impl BrokerSink) {
        let name = String::from_utf8_lossy(&line.key);
        match (&line.content, keys::classify(&name)) {
            (KeyContent::List(_), Key::Control) => {}
            (KeyContent::List(entries), _) => self.list(&name, line, entries, sink),
            (KeyContent::Hash(pairs), Key::Unacked) => {
                self.held_complete &= line.complete;
                self.unacked(&name, pairs.iter().map(|(_, value)| &**value), sink);
            }
            (KeyContent::Hash(pairs), Key::ScheduleEntry) => {
                if let Some(task) = scheduled_task(pairs) {
                    sink.scheduled(&name, &task);
                }
            }
            (KeyContent::String(value), Key::Result { task_id }) => self.result(task_id, value, sink),
            _ => {}
        }
    }

    /// Takes what `MONITOR` showed between two looks: a message that was pushed or is now
    /// held, or a result. This is not a look, so it reports no queue and leaves bindings to
    /// looks.
    pub fn hear(&mut self, line: &KeyLine<'_>, sink: &mut impl BrokerSink) {
        if matches!(line.content, KeyContent::Set(_)) {
            return;
        }
        // The cache is for looks.
        let cache = self.cache.take();
        self.take(line, sink);
        self.cache = cache;
        self.queues.clear();
        self.foreign.clear();
    }

    /// Ends a look: reports each queue, and how much of the broker was read. Returns the
    /// entries that were skipped.
    pub fn end_look(&mut self, completeness: Completeness, sink: &mut impl BrokerSink) -> Foreign {
        // A queue that is bound and has no list is empty.
        for queue in self.map.bound() {
            self.queues.entry(sink.share(queue)).or_default();
        }
        std::mem::take(&mut self.queues).into_iter().for_each(|(name, depth)| sink.queue(name, depth));
        sink.end_look(Completeness { held: completeness.held && self.held_complete, ..completeness });
        if let Some(cache) = &mut self.cache {
            cache.end_look();
        }
        std::mem::take(&mut self.foreign)
    }

    fn list(&mut self, name: &str, line: &KeyLine<'_>, entries: &[Bytes<'_>], sink: &mut impl BrokerSink) {
        let (queue, step) = self.queue_of(name, sink);
        let list = (*queue != *name).then(|| sink.share(name));
        let mut messages = 0;
        let mut position = QueuePosition {
            queue: Arc::clone(&queue),
            state: MessageState::Ready,
            list,
            index: None,
            priority: step,
        };
        for (index, entry) in (line.from..).zip(entries) {
            position.index = Some(index);
            let digest = self.cache.as_ref().map(|cache| cache.digest((name, &*queue), entry));
            let is_message = self.lies_again(digest, Some(index), sink).is_some()
                || self.message(entry, &position, name, digest, sink);
            messages += u64::from(is_message);
        }
        // A line for an empty list says that the queue is known and empty now.
        let is_queue = messages > 0
            || line.len == Some(0)
            || self.map.is_bound(&queue)
            || self.queues.contains_key(&queue);
        if !is_queue {
            return;
        }
        let read = entries.len() as u64;
        let depth = self.queues.entry(queue).or_default();
        let is_first_piece = !depth.priorities.contains_key(&step);
        let added = match line.len {
            Some(length) if is_first_piece => length,
            Some(_) => 0,
            None => read,
        };
        *depth.priorities.entry(step).or_default() += added;
        depth.ready += added;
        depth.read += read;
        depth.foreign += read - messages;
        depth.complete &= line.complete;
    }

    /// What workers hold.
    fn unacked<'b>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'b [u8]>,
        sink: &mut impl BrokerSink,
    ) {
        // The bindings decide to which queue a held message belongs.
        let routes = self.cache.as_ref().map(|cache| cache.digest(self.map.routes(), &[]));
        for value in values {
            let digest = self.cache.as_ref().map(|cache| cache.digest((name, routes), value));
            let queue =
                self.lies_again(digest, None, sink).or_else(|| self.delivery(name, value, digest, sink));
            if let Some(queue) = queue {
                let depth = self.queues.entry(queue).or_default();
                depth.unacked += 1;
                depth.read += 1;
            }
        }
    }

    /// Takes a message that a worker holds, and returns its queue; `None` if it is no
    /// Celery message.
    fn delivery(
        &mut self,
        name: &str,
        value: &[u8],
        digest: Option<u64>,
        sink: &mut impl BrokerSink,
    ) -> Option<Arc<str>> {
        let envelope = match unacked_envelope(value) {
            Ok(envelope) => envelope,
            Err(why) => {
                self.pass_over(name, why, sink);
                return None;
            }
        };
        let queue = self.queue_of_held(envelope, sink);
        let position = QueuePosition {
            queue: Arc::clone(&queue),
            state: MessageState::Unacked,
            list: None,
            index: None,
            priority: 0,
        };
        self.message(envelope, &position, name, digest, sink).then_some(queue)
    }

    /// The queue from which a worker took a message: the one that its exchange and routing
    /// key lead to.
    fn queue_of_held(&self, envelope: &[u8], sink: &mut impl BrokerSink) -> Arc<str> {
        let Ok(envelope) = Envelope::decode(envelope) else { return Arc::from("") };
        let exchange = envelope.properties.exchange.as_deref().unwrap_or_default();
        let routing_key = envelope.properties.routing_key.as_deref().unwrap_or_default();
        sink.share(self.map.route(exchange, routing_key))
    }

    /// Reports a message that the last look found too, and returns its queue; `None` if it
    /// is not cached, or the sink no longer has it.
    fn lies_again(
        &mut self,
        digest: Option<u64>,
        index: Option<u64>,
        sink: &mut impl BrokerSink,
    ) -> Option<Arc<str>> {
        let (digest, cache) = (digest?, self.cache.as_mut()?);
        let cached = cache.get(digest)?;
        let Cached { id, attempt, state, redelivered, .. } = cached;
        let unchanged =
            UnchangedMessage { id, attempt: *attempt, state: *state, redelivered: *redelivered, index };
        if !sink.unchanged_message(&unchanged) {
            return None;
        }
        let (queue, cached) = (Arc::clone(&cached.queue), cached.clone());
        cache.keep(digest, cached);
        Some(queue)
    }

    /// Reports a message; `false` if it is no Celery message.
    fn message(
        &mut self,
        entry: &[u8],
        position: &QueuePosition,
        key: &str,
        digest: Option<u64>,
        sink: &mut impl BrokerSink,
    ) -> bool {
        let envelope = match Envelope::decode(entry) {
            Ok(envelope) => envelope,
            Err(why) => {
                self.pass_over(key, why, sink);
                return false;
            }
        };
        if sink.counts()
            && let Some(context) = envelope.plain_context()
        {
            let whole = |share: &mut dyn FnMut(&str) -> Arc<str>| {
                read_message(&envelope, position, self.options, share).ok()
            };
            sink.plain_message(&plain_message(&envelope, position, context), whole);
            return true;
        }
        match read_message(&envelope, position, self.options, &mut |name| sink.share(name)) {
            Ok(message) => {
                if let (Some(cache), Some(digest)) = (&mut self.cache, digest) {
                    cache.keep(digest, Cached::of(&message));
                }
                sink.message(message);
                true
            }
            Err(why) => {
                self.pass_over(key, why, sink);
                false
            }
        }
    }

    /// What is no Celery result belongs to another program.
    fn result(&mut self, task_id: &str, value: &[u8], sink: &mut impl BrokerSink) {
        match read_result(task_id, value) {
            Ok(result) => sink.result(result),
            Err(error) => {
                let why = NotAMessage::NotJson { why: error.to_string() };
                self.pass_over(&keys::result_of("", task_id), why, sink);
            }
        }
    }

    fn pass_over(&mut self, key: &str, why: NotAMessage, sink: &mut impl BrokerSink) {
        const KEYS: usize = 100;
        sink.foreign();
        if let Some((count, _)) = self.foreign.get_mut(key) {
            *count += 1;
        } else if self.foreign.len() < KEYS {
            self.foreign.insert(key.to_owned(), (1, why));
        }
    }
}

/// A plain message, by its envelope.
fn plain_message<'m>(
    envelope: &'m Envelope<'_>,
    position: &'m QueuePosition,
    context: SpanContext,
) -> PlainMessage<'m> {
    let headers = &envelope.headers;
    let id = headers.id.as_deref();
    let is_scheduled = position.state == MessageState::Unacked && headers.eta.0.is_some();
    PlainMessage {
        queue: &position.queue,
        task: headers.task.as_deref().unwrap_or_default(),
        origin: headers.origin.as_deref(),
        nested: headers.parent_id.as_deref().is_some_and(|parent| Some(parent) != id),
        state: if is_scheduled { MessageState::Scheduled } else { position.state },
        context,
    }
}
/// The task that an entry of RedBeat's schedule publishes.
fn scheduled_task(pairs: &[(Bytes<'_>, Bytes<'_>)]) -> Option<String> {
    /// The longest task name that is kept, in bytes; the same as for messages.
    const NAME: usize = 256;
    let (_, definition) = pairs.iter().find(|(field, _)| &**field == b"definition")?;
    let definition = bounded::read(definition).ok()?;
    definition["task"].as_str().map(|task| cut(task, NAME).to_owned())
}
