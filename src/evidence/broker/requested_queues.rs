//! The queues that the user asked for by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which queues a look is to show, and which of them it met.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RequestedQueues {
    /// The queue of each name that was given; a name may be that of a list.
    names: BTreeMap<Box<str>, Arc<str>>,
    /// Queues that are there and were not asked for.
    others: BTreeSet<Arc<str>>,
    /// Names for which there is no queue.
    missing: BTreeSet<Box<str>>,
}

impl RequestedQueues {
    /// How many of the other queues are remembered, to offer them.
    const OTHERS: usize = 10_000;

    /// For these names, each with the queue that it stands for.
    pub fn new(names: impl IntoIterator<Item = (Box<str>, Arc<str>)>) -> Self {
        Self { names: names.into_iter().collect(), ..Self::default() }
    }

    /// Whether this queue was asked for.
    pub fn has(&self, queue: &str) -> bool {
        self.names.values().any(|requested| **requested == *queue)
    }

    /// Queues that are there and were not asked for.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|name| &**name)
    }

    /// Names without a list, a binding, or a message that a worker holds.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(|name| &**name)
    }

    pub(in crate::evidence) fn add_other(&mut self, queue: Arc<str>) {
        if self.others.len() < Self::OTHERS {
            self.others.insert(queue);
        }
    }

    /// Ends a look that has visited the queues for which `is_there` holds.
    pub(in crate::evidence) fn end(&mut self, is_there: impl Fn(&str) -> bool) {
        let missing = self.names.iter().filter(|(_, queue)| !is_there(queue));
        self.missing = missing.map(|(name, _)| name.clone()).collect();
    }
}
