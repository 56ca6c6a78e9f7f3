//! One look at a broker, taken into the evidence key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Evidence;
use super::broker::{Look, Sight};
use super::queue::Glance;
use super::recall::{Recall, Recalled};
use crate::model::{Message, MessageState, Timestamp};
use crate::wire::celery::keys::{self, Key};
use crate::wire::celery::{
    Envelope, NotAMessage, ReadOptions, Seen, read_message, read_result, unacked_envelope,
};

/// How the messages of a look are remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Each by itself, to be joined with spans and results.
    Each,
    /// By class: any number of messages takes the memory of their kinds.
    Counted,
}

/// How a broker's names are made, where the application was configured so.
#[derive(Clone, Default, Debug)]
pub struct Naming {
    /// `global_keyprefix`; found from the bindings where it is not given.
    pub prefix: Option<String>,
    /// `sep`.
    pub separator: Option<String>,
    /// `priority_steps`; any number is one where they are not given.
    pub steps: Option<Vec<u32>>,
}

/// What the names in a broker mean, as a look learned it from the bindings and
/// the lists: which list is which queue's, and which queue a held message is of.
#[derive(Clone, Default, Debug)]
pub struct Atlas {
    naming: Naming,
    /// Queues by exchange and routing key.
    routes: BTreeMap<(String, String), String>,
    bound: BTreeSet<String>,
    /// Lists by name: their queue and priority step.
    lists: BTreeMap<String, (Arc<str>, u32)>,
}

impl Atlas {
    /// How many lists are remembered that no look announced.
    const LISTS: usize = 100_000;

    /// Nothing known but how names are made.
    pub fn named(naming: Naming) -> Self {
        Self { naming, ..Self::default() }
    }

    /// The queue to which a list belongs and its priority step.
    fn queue_of(&mut self, name: &str, share: impl FnOnce(&str) -> Arc<str>) -> (Arc<str>, u32) {
        if let Some((queue, step)) = self.lists.get(name).filter(|(queue, _)| !queue.is_empty()) {
            return (Arc::clone(queue), *step);
        }
        let prefix = self.naming.prefix.as_deref().unwrap_or_default();
        let plain = name.strip_prefix(prefix).unwrap_or(name);
        let is_queue =
            |stem: &str| self.bound.contains(stem) || self.lists.contains_key(&format!("{prefix}{stem}"));
        let given = self.naming.separator.as_deref();
        let (queue, step) = if self.bound.contains(plain) {
            (plain, 0)
        } else {
            keys::split_priority(plain, given, is_queue)
        };
        let is_step = self.naming.steps.as_ref().is_none_or(|steps| steps.contains(&step));
        let (queue, step) = if is_step { (queue, step) } else { (plain, 0) };
        let queue = share(queue);
        if self.lists.len() < Self::LISTS {
            self.lists.insert(name.to_owned(), (Arc::clone(&queue), step));
        }
        (queue, step)
    }
}

/// Takes a look at a broker: first its bindings and the names of its lists,
/// then what lies in them.
#[derive(Debug)]
pub struct Looker<'e> {
    evidence: &'e mut Evidence,
    broker: Arc<str>,
    keep: Keep,
    options: ReadOptions,
    atlas: Atlas,
    look: Look,
    /// The tasks whose messages were seen, where they are asked for.
    seen: Option<Vec<Box<str>>>,
    /// What lay there at the look before, where somebody remembers.
    recall: Option<Recall>,
    /// Broken and foreign entries, by the key that holds them and why.
    pub foreign: BTreeMap<String, (u64, NotAMessage)>,
    /// Contexts seen at the border of the last page, so that a list that moved
    /// is not counted twice.
    twice: u64,
}

impl<'e> Looker<'e> {
    pub fn new(
        evidence: &'e mut Evidence,
        broker: &str,
        at: Timestamp,
        keep: Keep,
        options: ReadOptions,
        naming: Naming,
    ) -> Self {
        Self {
            evidence,
            broker: broker.into(),
            keep,
            options,
            atlas: Atlas { naming, ..Atlas::default() },
            look: Look { at, unacked_complete: true, complete_since: Some(at), ..Look::default() },
            seen: None,
            recall: None,
            foreign: BTreeMap::new(),
            twice: 0,
        }
    }

    /// With the names that an earlier look learned.
    #[must_use]
    pub fn with_atlas(self, atlas: Atlas) -> Self {
        Self { atlas, ..self }
    }

    /// With what the look before remembers, for [`Looker::take_recall`].
    #[must_use]
    pub fn with_recall(self, recall: Recall) -> Self {
        Self { recall: Some(recall), ..self }
    }

    /// What the next look is to remember.
    pub fn take_recall(&mut self) -> Recall {
        let mut recall = self.recall.take().unwrap_or_default();
        recall.end_look();
        recall
    }

    /// Notes the tasks whose messages are seen, for [`Looker::seen`].
    pub fn note_seen(&mut self) {
        self.seen.get_or_insert_default();
    }

    /// The tasks whose messages were seen since [`Looker::note_seen`].
    pub fn seen(&mut self) -> Vec<Box<str>> {
        self.seen.take().unwrap_or_default()
    }

    /// Takes a set that kombu keeps. Call this for every set before the lists.
    pub fn set(&mut self, name: &str, members: &[&str]) {
        match keys::classify(name) {
            Key::Workers => {
                let workers = self.look.workers.get_or_insert_default();
                workers.extend(members.iter().map(|member| Box::from(*member)));
            }
            Key::Binding { exchange } => {
                if self.atlas.naming.prefix.is_none() {
                    self.atlas.naming.prefix = Some(keys::prefix_of(name).to_owned());
                }
                // Remote control and events are no queues of tasks.
                if exchange.ends_with("pidbox") || exchange.starts_with("celeryev") {
                    return;
                }
                let Atlas { naming, routes, bound, .. } = &mut self.atlas;
                let separator = naming.separator.as_deref().unwrap_or(keys::SEPARATOR);
                let known = &mut self.look.routes;
                known.exchanges.insert(exchange.into());
                for member in members {
                    let binding = keys::split_binding(member, separator);
                    let Some((routing_key, queue)) = binding.filter(|(_, queue)| !queue.is_empty()) else {
                        continue;
                    };
                    known.queues.insert(queue.into());
                    known.routing_keys.insert(routing_key.into());
                    routes.insert((exchange.to_owned(), routing_key.to_owned()), queue.to_owned());
                    bound.insert(queue.to_owned());
                }
            }
            _ => {}
        }
    }

    /// Says that the bindings were looked at, so that no worker among them
    /// means that there is none.
    pub fn looked_for_workers(&mut self) {
        self.look.workers.get_or_insert_default();
    }

    /// Says that a list is there, before any is read.
    pub fn announce(&mut self, name: &str) {
        self.atlas.lists.entry(name.to_owned()).or_insert_with(|| (Arc::from(""), 0));
    }

    /// The queue to which a list belongs and its priority step, by the bindings
    /// and the names that were taken so far.
    pub fn queue_of(&mut self, name: &str) -> (Arc<str>, u32) {
        let names = &mut self.evidence.names;
        self.atlas.queue_of(name, |queue| names.share(queue))
    }

    /// Whether a queue of that name is bound.
    pub fn is_bound(&self, queue: &str) -> bool {
        self.atlas.bound.contains(queue)
    }

    /// Takes entries of a list, each with its index from the newest.
    ///
    /// `length` is that of the whole list, where this is a piece of it;
    /// `complete` says whether all of it is or will be read.
    pub fn list<'b>(
        &mut self,
        name: &str,
        entries: impl Iterator<Item = (u64, &'b [u8])>,
        length: Option<u64>,
        complete: bool,
    ) {
        if keys::classify(name) == Key::Control {
            return;
        }
        let (queue, step) = self.queue_of(name);
        let (mut read, mut messages) = (0, 0);
        for (index, entry) in entries {
            let seen = Seen {
                queue: Arc::clone(&queue),
                state: MessageState::Ready,
                index: Some(index),
                priority: step,
            };
            read += 1;
            let digest = self.recall.as_ref().map(|recall| recall.digest((name, &*queue), entry));
            let is_message =
                self.recalled(digest, Some(index)).is_some() || self.message(entry, &seen, name, digest);
            messages += u64::from(is_message);
        }
        // Whoever tells of a list of nothing knows it for a queue that is empty now.
        let is_queue = messages > 0
            || length == Some(0)
            || self.atlas.bound.contains(&*queue)
            || self.look.queues.contains_key(&queue);
        if !is_queue {
            return;
        }
        let seen = self.look.queue(queue);
        let is_first_piece = !seen.priorities.contains_key(&step);
        let added = match length {
            Some(length) if is_first_piece => length,
            Some(_) => 0,
            None => read,
        };
        *seen.priorities.entry(step).or_default() += added;
        seen.ready += added;
        seen.read += read;
        seen.foreign += read - messages;
        seen.complete &= complete;
    }

    /// Takes values of `unacked`: what workers hold.
    pub fn unacked<'b>(&mut self, name: &str, values: impl Iterator<Item = &'b [u8]>, complete: bool) {
        self.look.unacked_complete &= complete;
        // Which queue a held message is of depends on the bindings.
        let routes = self.recall.as_ref().map(|recall| recall.digest(&self.atlas.routes, &[]));
        for value in values {
            let digest = self.recall.as_ref().map(|recall| recall.digest((name, routes), value));
            if let Some(queue) = self.recalled(digest, None) {
                let seen = self.look.queue(queue);
                seen.unacked += 1;
                seen.read += 1;
                continue;
            }
            let envelope = match unacked_envelope(value) {
                Ok(envelope) => envelope,
                Err(why) => {
                    self.note_foreign(name, why);
                    continue;
                }
            };
            let queue = self.queue_of_held(envelope);
            let seen =
                Seen { queue: Arc::clone(&queue), state: MessageState::Unacked, index: None, priority: 0 };
            if self.message(envelope, &seen, name, digest) {
                let seen = self.look.queue(queue);
                seen.unacked += 1;
                seen.read += 1;
            }
        }
    }

    /// The queue from which a worker took a message: where its exchange and
    /// routing key lead.
    fn queue_of_held(&mut self, envelope: &[u8]) -> Arc<str> {
        let Ok(envelope) = Envelope::decode(envelope) else { return Arc::from("") };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let exchange = text(envelope.properties.exchange.as_deref());
        let routing_key = text(envelope.properties.routing_key.as_deref());
        let queue = self.atlas.routes.get(&(exchange, routing_key.clone())).cloned().unwrap_or(routing_key);
        self.evidence.names.share(&queue)
    }

    /// Takes another sight of a message that lay there at the look before, and
    /// returns its queue.
    fn recalled(&mut self, digest: Option<u64>, index: Option<u64>) -> Option<Arc<str>> {
        let (digest, recall) = (digest?, self.recall.as_mut()?);
        let Recalled { id, queue, attempt, state, redelivered } = recall.recall(digest)?.clone();
        let sight = Sight { at: self.look.at, state, redelivered };
        let Evidence { tasks, ages, .. } = &mut *self.evidence;
        if !tasks.saw_again(&id, attempt, &self.broker, (sight, index), ages) {
            return None;
        }
        if let Some(seen) = &mut self.seen {
            seen.push(id.clone());
        }
        let message = Recalled { id, queue: Arc::clone(&queue), attempt, state, redelivered };
        recall.keep(digest, message);
        Some(queue)
    }

    fn message(&mut self, entry: &[u8], seen: &Seen, key: &str, digest: Option<u64>) -> bool {
        let envelope = match Envelope::decode(entry) {
            Ok(envelope) => envelope,
            Err(why) => {
                self.note_foreign(key, why);
                return false;
            }
        };
        if self.keep == Keep::Counted
            && let Some(context) = envelope.plain_context()
        {
            self.count(&envelope, seen, context);
            return true;
        }
        let names = &mut self.evidence.names;
        match read_message(&envelope, seen, self.options, &mut |name| names.share(name)) {
            Ok(message) => {
                if let (Some(recall), Some(digest)) = (&mut self.recall, digest) {
                    recall.keep(digest, Recalled::of(&message));
                }
                self.take(message);
                true
            }
            Err(why) => {
                self.note_foreign(key, why);
                false
            }
        }
    }

    fn take(&mut self, message: Message) {
        if let Some(seen) = &mut self.seen {
            seen.push(message.id.clone());
        }
        match self.keep {
            Keep::Each => self.evidence.saw_message(message, &self.broker, self.look.at),
            Keep::Counted => self.evidence.census.saw(message, &self.broker, self.look.at),
        }
    }

    /// The hot path: a healthy message is counted, and forgotten.
    fn count(&mut self, envelope: &Envelope<'_>, seen: &Seen, context: crate::model::SpanContext) {
        let headers = &envelope.headers;
        let id = headers.id.as_deref();
        let is_scheduled = seen.state == MessageState::Unacked && headers.eta.0.is_some();
        let glance = Glance {
            task: headers.task.as_deref().unwrap_or_default(),
            origin: headers.origin.as_deref(),
            nested: headers.parent_id.as_deref().is_some_and(|parent| Some(parent) != id),
            state: if is_scheduled { MessageState::Scheduled } else { seen.state },
            context,
        };
        let Evidence { census, names, .. } = &mut *self.evidence;
        let options = self.options;
        census.glanced(&glance, &seen.queue, &self.broker, self.look.at, || {
            read_message(envelope, seen, options, &mut |name| names.share(name)).ok()
        });
    }

    fn note_foreign(&mut self, key: &str, why: NotAMessage) {
        const KEYS: usize = 100;
        self.evidence.foreign_entries += 1;
        if let Some((count, _)) = self.foreign.get_mut(key) {
            *count += 1;
        } else if self.foreign.len() < KEYS {
            self.foreign.insert(key.to_owned(), (1, why));
        }
    }

    /// Takes the value of a result. What is none is another program's.
    pub fn result(&mut self, task_id: &str, value: &[u8]) {
        match read_result(task_id, value) {
            Ok(result) => self.evidence.saw_result(result),
            Err(error) => self.note_foreign(
                &format!("celery-task-meta-{task_id}"),
                NotAMessage::NotJson { why: error.to_string() },
            ),
        }
    }

    /// Says that entries were left out because the list moved.
    pub fn seen_twice(&mut self, entries: u64) {
        self.twice += entries;
    }

    /// Says that not every key was looked at.
    pub fn incomplete(&mut self) {
        self.look.complete_since = None;
        self.look.unacked_complete = false;
    }

    /// Says since when every key that is there was met; `None` where not all
    /// were looked for. Those that were read are as complete as they say.
    pub fn complete_since(&mut self, since: Option<Timestamp>) {
        self.look.complete_since = since.map(|since| since.min(self.look.at));
    }

    /// Ends the look and files it.
    pub fn finish(mut self) -> Atlas {
        // A queue that is bound and has no list is empty.
        for queue in &self.atlas.bound {
            let name = self.evidence.names.share(queue);
            self.look.queue(name);
        }
        self.evidence.seen_twice += self.twice;
        self.evidence.brokers.insert(&self.broker, self.look);
        self.atlas
    }

    /// Ends without filing a look: what was taken was no look at the whole
    /// broker, and nothing is said of what was not in it.
    pub fn leave(self) -> Atlas {
        self.atlas
    }
}
