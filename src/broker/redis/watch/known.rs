//! The keys that are known for Celery's.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::redis::survey::Survey;
use crate::wire::celery::redis_layout::Bound;
use crate::wire::celery::redis_layout::keys::{self, DEFAULT_QUEUE, PRIORITY_STEPS};
use crate::wire::snapshot::{Content, KeyLine};

/// How many lists and bindings a look asks: more are no queues of an application.
const LISTS: usize = 10_000;
const BINDINGS: usize = 10_000;

/// Each key that a look asks, and what is remembered of it.
#[derive(Debug)]
pub struct Known {
    pub lists: BTreeMap<String, List>,
    /// The keys of bindings, the workers' among them.
    pub bindings: BTreeSet<String>,
    /// Each `unacked`, and where its scan goes on.
    pub held: BTreeMap<String, u64>,
    prefixes: BTreeSet<String>,
    /// Which lists the bindings make queues.
    pub bound: Bound,
    /// Whether keys were left out because there are too many.
    pub is_cut: bool,
}

/// A list that is a queue, or one of its priorities.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct List {
    /// How long it was at the last look.
    pub len: u64,
    /// The mean length of its entries at the last look that found any, in bytes.
    pub mean: Option<u64>,
    /// Whether it was ever there: what the bindings only suggest may never be.
    pub was_seen: bool,
    pub is_bound: bool,
    /// The last walk over the names that met it.
    pub met: u64,
}

impl Known {
    /// What every application of Celery's has, before any of it is seen.
    pub fn new(prefix: Option<String>) -> Self {
        let mut known = Self {
            lists: BTreeMap::new(),
            bindings: BTreeSet::new(),
            held: BTreeMap::new(),
            prefixes: BTreeSet::new(),
            bound: Bound::of(&[], &[]),
            is_cut: false,
        };
        known.add_prefix("");
        if let Some(prefix) = prefix {
            known.add_prefix(&prefix);
        }
        known
    }

    fn add_prefix(&mut self, prefix: &str) {
        if !self.prefixes.insert(prefix.to_owned()) {
            return;
        }
        self.held.insert(keys::unacked(prefix), 0);
        keys::usual_bindings(prefix).into_iter().for_each(|key| self.add_binding(key));
        self.suggest(prefix, DEFAULT_QUEUE);
    }

    pub fn add_binding(&mut self, key: String) {
        if self.bindings.contains(&key) {
            return;
        }
        if self.bindings.len() >= BINDINGS {
            self.is_cut = true;
            return;
        }
        let prefix = keys::prefix_of(&key).to_owned();
        self.bindings.insert(key);
        self.add_prefix(&prefix);
    }

    /// A list that was found; `walk` is the number of the walk that did.
    pub fn add_list(&mut self, key: &str, walk: u64) {
        let is_bound = self.bound.is_queue(key);
        if let Some(list) = self.entry(key) {
            list.was_seen = true;
            list.is_bound = is_bound;
            list.met = walk;
        }
    }

    fn entry(&mut self, key: &str) -> Option<&mut List> {
        if !self.lists.contains_key(key) {
            if self.lists.len() >= LISTS {
                self.is_cut = true;
                return None;
            }
            self.lists.insert(key.to_owned(), List::default());
        }
        self.lists.get_mut(key)
    }

    /// A queue that is bound, with the lists that it may have.
    fn suggest(&mut self, prefix: &str, queue: &str) {
        for step in PRIORITY_STEPS {
            if let Some(list) = self.entry(&keys::list_of(prefix, queue, step)) {
                list.is_bound = true;
            }
        }
    }

    /// Takes over what a first walk found.
    pub fn learn(&mut self, survey: &Survey) {
        for binding in &survey.bindings {
            if let Ok(key) = std::str::from_utf8(&binding.key) {
                self.add_binding(key.to_owned());
            }
        }
        self.learn_bindings(&survey.bindings);
        for list in &survey.lists {
            self.add_list(&list.key, 0);
        }
    }

    /// Takes over what the bindings say.
    pub fn learn_bindings(&mut self, bindings: &[KeyLine<'_>]) {
        let bound = Bound::of(bindings, &[]);
        if bound == self.bound {
            return;
        }
        for (prefix, queues) in bound.queues() {
            queues.iter().for_each(|queue| self.suggest(prefix, queue));
        }
        self.bound = bound;
        for (key, list) in &mut self.lists {
            list.is_bound = self.bound.is_queue(key);
        }
        self.lists.retain(|_, list| list.was_seen || list.is_bound);
    }

    /// After a walk over all names: forgets lists that are empty, unbound, and
    /// were not met.
    pub fn forget_what_is_gone(&mut self, walk: u64) {
        self.lists.retain(|_, list| list.is_bound || list.len > 0 || list.met >= walk);
    }

    /// How many lists hold messages, as of the last look.
    pub fn filled(&self) -> u64 {
        self.lists.values().filter(|list| list.len > 0).count() as u64
    }
}

/// The mean length of entries, in bytes.
pub fn mean<'e>(entries: impl Iterator<Item = &'e [u8]>) -> Option<u64> {
    let (count, bytes) =
        entries.fold((0, 0), |(count, bytes), entry| (count + 1, bytes + entry.len() as u64));
    (count > 0).then(|| (bytes / count).max(1))
}

/// The bytes of what lies under a key.
pub fn bytes_of(content: &Content<'_>) -> u64 {
    match content {
        Content::List(entries) | Content::Set(entries) => {
            entries.iter().map(|entry| entry.len() as u64).sum()
        }
        Content::Hash(pairs) => pairs.iter().map(|(field, value)| (field.len() + value.len()) as u64).sum(),
        Content::Zset(pairs) => pairs.iter().map(|(member, _)| member.len() as u64 + 8).sum(),
        Content::String(value) => value.len() as u64,
        Content::Other(_) => 0,
    }
}
