//! The keys that each look asks for, and what is remembered of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::redis::discovery::Discovery;
use crate::wire::celery::redis_layout::Bound;
use crate::wire::celery::redis_layout::keys::{self, DEFAULT_QUEUE, PRIORITY_STEPS};
use crate::wire::snapshot::{KeyContent, KeyLine};

/// The most lists, and the most bindings, that a look asks for. No application has more
/// queues.
const LISTS: usize = 10_000;
const BINDINGS: usize = 10_000;
/// About how many bytes a key takes: its name here and in the reader, and a look's
/// question and answer about it.
const KEY: usize = 1 << 10;

/// Keys that seem to be Celery's, within a bound.
#[derive(Debug)]
pub struct WatchedKeys {
    pub lists: BTreeMap<String, List>,
    /// The keys of bindings, including those of the workers.
    pub bindings: BTreeSet<String>,
    /// Each `unacked`, and where its scan continues.
    pub held: BTreeMap<String, u64>,
    prefixes: BTreeSet<String>,
    /// Which lists are queues, according to the bindings.
    pub bound: Bound,
    /// Whether keys were left out because there are too many.
    pub is_cut: bool,
    /// How many lists, and how many bindings, are watched at most.
    most: usize,
    /// How many keys were left out since the walk over all names began, and in the walk
    /// before it.
    leaving_out: u64,
    left_out: u64,
    /// How many possible lists of bound queues are left out.
    unsuggested: u64,
    /// How many members of bindings the last look left out.
    pub unread_members: u64,
}

/// A list that is a queue, or one of its priorities.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct List {
    /// How long it was at the last look.
    pub len: u64,
    /// The mean length of its entries at the last look that found any, in bytes.
    pub mean: Option<u64>,
    /// Whether it ever existed: a list that only the bindings suggest may never exist.
    pub was_seen: bool,
    pub is_bound: bool,
    /// The last walk over the names that found it.
    pub met: u64,
}

impl WatchedKeys {
    /// The keys that every application with Celery has, before any of them is seen. All
    /// keys together take about `bytes` at most.
    pub fn new(prefix: Option<String>, bytes: usize) -> Self {
        let mut watched = Self {
            lists: BTreeMap::new(),
            bindings: BTreeSet::new(),
            held: BTreeMap::new(),
            prefixes: BTreeSet::new(),
            bound: Bound::of(&[], &[]),
            is_cut: false,
            most: (bytes / 2 / KEY).min(LISTS).min(BINDINGS),
            leaving_out: 0,
            left_out: 0,
            unsuggested: 0,
            unread_members: 0,
        };
        watched.add_prefix("");
        if let Some(prefix) = prefix {
            watched.add_prefix(&prefix);
        }
        watched
    }

    fn add_prefix(&mut self, prefix: &str) {
        if !self.prefixes.insert(prefix.to_owned()) {
            return;
        }
        self.held.insert(keys::unacked(prefix), 0);
        keys::usual_bindings(prefix).into_iter().for_each(|key| self.add_binding(key));
        for step in PRIORITY_STEPS {
            self.suggest(prefix, DEFAULT_QUEUE, step);
        }
    }

    pub fn add_binding(&mut self, key: String) {
        if self.bindings.contains(&key) {
            return;
        }
        if self.bindings.len() >= self.most {
            self.is_cut = true;
            self.leaving_out += 1;
            return;
        }
        let prefix = keys::prefix_of(&key).to_owned();
        self.bindings.insert(key);
        self.add_prefix(&prefix);
    }

    /// Adds a list that was found; `walk` is the number of the walk that found it.
    pub fn add_list(&mut self, key: &str, walk: u64) {
        let is_bound = self.bound.is_queue(key);
        if self.lists.len() >= self.most && !self.lists.contains_key(key) {
            // A list that exists replaces one that only the bindings suggest.
            let unseen = self.lists.iter().find(|(_, list)| !list.was_seen).map(|(key, _)| key.clone());
            if let Some(unseen) = unseen {
                self.lists.remove(&unseen);
                self.unsuggested += 1;
                self.is_cut = true;
            }
        }
        match self.entry(key) {
            Some(list) => {
                list.was_seen = true;
                list.is_bound = is_bound;
                list.met = walk;
            }
            None => self.leaving_out += 1,
        }
    }

    /// How many members of bindings a look reads.
    pub const fn most_members(&self) -> usize {
        self.most
    }

    fn entry(&mut self, key: &str) -> Option<&mut List> {
        if !self.lists.contains_key(key) {
            if self.lists.len() >= self.most {
                self.is_cut = true;
                return None;
            }
            self.lists.insert(key.to_owned(), List::default());
        }
        self.lists.get_mut(key)
    }

    /// Adds the list that a bound queue may have for a priority. Returns whether there
    /// was room for it.
    fn suggest(&mut self, prefix: &str, queue: &str, step: u32) -> bool {
        self.entry(&keys::list_of(prefix, queue, step)).map(|list| list.is_bound = true).is_some()
    }

    /// Takes over the keys that a first walk found.
    pub fn learn(&mut self, discovery: &Discovery) {
        for binding in &discovery.bindings {
            if let Ok(key) = std::str::from_utf8(&binding.key) {
                self.add_binding(key.to_owned());
            }
        }
        // Lists that exist come before those that the bindings only suggest.
        for list in &discovery.lists {
            self.add_list(&list.key, 0);
        }
        self.learn_bindings(&discovery.bindings);
    }

    /// Takes over what the bindings say.
    pub fn learn_bindings(&mut self, bindings: &[KeyLine<'_>]) {
        let bound = Bound::of(bindings, &[]);
        if bound == self.bound {
            return;
        }
        self.unsuggested = 0;
        // Each queue has a list, and few have one for each priority.
        for step in PRIORITY_STEPS {
            for (prefix, queues) in bound.queues() {
                let found = queues.iter().filter(|queue| self.suggest(prefix, queue, step)).count();
                self.unsuggested += (queues.len() - found) as u64;
            }
        }
        self.bound = bound;
        for (key, list) in &mut self.lists {
            list.is_bound = self.bound.is_queue(key);
        }
        self.lists.retain(|_, list| list.was_seen || list.is_bound);
    }

    /// After a walk over all names: forgets lists that are empty and unbound and that the
    /// walk did not find.
    pub fn forget_what_is_gone(&mut self, walk: u64) {
        self.lists.retain(|_, list| list.is_bound || list.len > 0 || list.met >= walk);
    }

    /// Ends a walk over all names, which found each key that was left out.
    pub fn end_walk(&mut self) {
        self.left_out = std::mem::take(&mut self.leaving_out);
    }

    /// How many keys are left out for lack of room.
    pub fn left_out(&self) -> u64 {
        self.left_out.max(self.leaving_out) + self.unsuggested + self.unread_members
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

/// How many bytes the content of a key has.
pub fn bytes_of(content: &KeyContent<'_>) -> u64 {
    match content {
        KeyContent::List(entries) | KeyContent::Set(entries) => {
            entries.iter().map(|entry| entry.len() as u64).sum()
        }
        KeyContent::Hash(pairs) => {
            pairs.iter().map(|(field, value)| (field.len() + value.len()) as u64).sum()
        }
        KeyContent::Zset(pairs) => pairs.iter().map(|(member, _)| member.len() as u64 + 8).sum(),
        KeyContent::String(value) => value.len() as u64,
        KeyContent::Other(_) => 0,
    }
}
