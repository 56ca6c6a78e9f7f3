//! Where a broker routes messages.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::memory_size::{allocation, in_tree};

/// Where messages are routed, as far as bindings and lists show it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Routes {
    pub exchanges: BTreeSet<Box<str>>,
    /// Routing keys by which anything is bound.
    pub routing_keys: BTreeSet<Box<str>>,
    /// Queues that are bound, or seen.
    pub queues: BTreeSet<Box<str>>,
    /// Whether there were more names than are kept.
    pub(in crate::evidence) is_cut: bool,
}

impl Routes {
    /// How many names of each kind are kept. An application has a handful; anything that
    /// makes more is not the user's application.
    pub(super) const NAMES: usize = 20_000;

    /// Whether a message to `destination` (a queue or a routing key) through `exchange` may
    /// reach a queue. Topic patterns are not matched: an exchange with any binding may
    /// route it.
    pub(super) fn lead(&self, exchange: Option<&str>, destination: &str) -> bool {
        if self.is_cut {
            return true;
        }
        if let Some(exchange) = exchange.filter(|exchange| !exchange.is_empty()) {
            return self.exchanges.contains(exchange);
        }
        [&self.queues, &self.exchanges, &self.routing_keys].iter().any(|names| names.contains(destination))
    }

    /// Adds what a look shows as far as there is room. Returns how many bytes it has grown
    /// by and how many names were left out.
    pub(super) fn learn(
        &mut self,
        others: Self,
        queues: impl Iterator<Item = Arc<str>>,
        room: usize,
    ) -> (usize, u64) {
        self.is_cut |= others.is_cut;
        let (mut grown, mut left_out) = (0, 0);
        let mut merge = |names: &mut BTreeSet<Box<str>>, name: Box<str>| {
            if names.contains(&name) {
                return;
            }
            let bytes = name_bytes(&name);
            if names.len() >= Self::NAMES || grown + bytes > room {
                self.is_cut = true;
                left_out += 1;
                return;
            }
            grown += bytes;
            names.insert(name);
        };
        others.exchanges.into_iter().for_each(|name| merge(&mut self.exchanges, name));
        others.routing_keys.into_iter().for_each(|name| merge(&mut self.routing_keys, name));
        others.queues.into_iter().for_each(|name| merge(&mut self.queues, name));
        for queue in queues.filter(|queue| !queue.is_empty()) {
            if !self.queues.contains(&*queue) {
                merge(&mut self.queues, Box::from(&*queue));
            }
        }
        (grown, left_out)
    }
}

/// What a name takes in a set.
pub(super) const fn name_bytes(name: &str) -> usize {
    in_tree(size_of::<Box<str>>()) + allocation(name.len())
}
