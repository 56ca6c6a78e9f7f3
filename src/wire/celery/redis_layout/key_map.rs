//! Which list belongs to which queue, and to which queue a held message belongs, according
//! to the bindings and the names of the lists.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::Arc;

use super::keys;
use crate::model::memory_size::{allocation, in_tree};
use crate::wire::broker::Binding;

/// How a broker's names are built, if the application was configured so.
#[derive(Clone, Default, Debug)]
pub struct Naming {
    /// `global_keyprefix`; if it is not given, it is found from the bindings.
    pub prefix: Option<String>,
    /// `sep`.
    pub separator: Option<String>,
    /// `priority_steps`; if they are not given, any number is a step.
    pub steps: Option<Vec<u32>>,
}

/// The meaning of the names in a broker.
#[derive(Clone, Default, Debug)]
pub struct KeyMap {
    naming: Naming,
    /// Queues by exchange and routing key.
    routes: BTreeMap<(String, String), String>,
    bound: BTreeSet<String>,
    /// Lists by name: their queue and priority step. The queue is empty until somebody asks
    /// for it.
    lists: BTreeMap<String, (Arc<str>, u32)>,
    bytes: usize,
}

impl KeyMap {
    /// How many lists are remembered that no look announced.
    const LISTS: usize = 100_000;

    /// Nothing known except how names are built.
    pub fn named(naming: Naming) -> Self {
        Self { naming, ..Self::default() }
    }

    /// The `global_keyprefix` that a binding's key shows, if none is given.
    pub(super) fn learn_prefix(&mut self, binding_key: &str) {
        self.naming.prefix.get_or_insert_with(|| keys::prefix_of(binding_key).to_owned());
    }

    /// The binding that a member of an exchange's set describes.
    pub(super) fn binding<'m>(&self, exchange: &'m str, member: &'m str) -> Option<Binding<'m>> {
        let separator = self.naming.separator.as_deref().unwrap_or(keys::SEPARATOR);
        let (routing_key, queue) = keys::split_binding(member, separator)?;
        (!queue.is_empty()).then_some(Binding { exchange, routing_key, queue })
    }

    /// Adds a binding.
    pub(super) fn bind(&mut self, binding: Binding<'_>) {
        let Binding { exchange, routing_key, queue } = binding;
        let place = (exchange.to_owned(), routing_key.to_owned());
        if self.routes.insert(place, queue.to_owned()).is_none() {
            const ROUTE: usize = in_tree(size_of::<((String, String), String)>());
            self.bytes += ROUTE + [exchange, routing_key, queue].map(text).iter().sum::<usize>();
        }
        if self.bound.insert(queue.to_owned()) {
            self.bytes += in_tree(size_of::<String>()) + text(queue);
        }
    }

    /// Adds a list that exists, before any is read.
    pub(super) fn announce(&mut self, list: &str) {
        if !self.lists.contains_key(list) {
            self.keep(list, Arc::from(""), 0);
        }
    }

    fn keep(&mut self, list: &str, queue: Arc<str>, step: u32) {
        const LIST: usize = in_tree(size_of::<(String, (Arc<str>, u32))>());
        if self.lists.insert(list.to_owned(), (queue, step)).is_none() {
            self.bytes += LIST + text(list);
        }
    }

    /// The queue to which a list belongs and its priority step.
    pub(super) fn queue_of(&mut self, list: &str, share: impl FnOnce(&str) -> Arc<str>) -> (Arc<str>, u32) {
        if let Some((queue, step)) = self.lists.get(list).filter(|(queue, _)| !queue.is_empty()) {
            return (Arc::clone(queue), *step);
        }
        let prefix = self.naming.prefix.as_deref().unwrap_or_default();
        let plain = list.strip_prefix(prefix).unwrap_or(list);
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
            self.keep(list, Arc::clone(&queue), step);
        }
        (queue, step)
    }

    /// The queue to which an exchange and a routing key lead.
    pub(super) fn route<'m>(&'m self, exchange: &str, routing_key: &'m str) -> &'m str {
        let place = (exchange.to_owned(), routing_key.to_owned());
        self.routes.get(&place).map_or(routing_key, String::as_str)
    }

    /// Whether a queue of that name is bound.
    pub fn is_bound(&self, queue: &str) -> bool {
        self.bound.contains(queue)
    }

    /// Whether a list of that name is there.
    pub(super) fn is_announced(&self, list: &str) -> bool {
        self.lists.contains_key(list)
    }

    /// Every queue that is bound.
    pub(super) fn bound(&self) -> impl Iterator<Item = &str> {
        self.bound.iter().map(String::as_str)
    }

    /// What decides to which queue a held message belongs.
    pub(super) const fn routes(&self) -> &impl Hash {
        &self.routes
    }

    /// About how many bytes it takes. The names of queues are shared with the evidence,
    /// which counts them.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What the bytes of a `String` take.
const fn text(text: &str) -> usize {
    allocation(text.len())
}
