//! All brokers that were looked at.

use super::history::Broker;
use super::look::Look;

/// All brokers that were looked at.
#[derive(Default, Debug)]
pub struct Brokers {
    /// In the order of their names, not of the looks.
    pub(super) brokers: Vec<Broker>,
    /// How many bytes they may take; `None` where there is no bound.
    bound: Option<usize>,
}

impl Brokers {
    /// Files a look in the history of this broker.
    pub fn insert(&mut self, name: &str, look: Look) -> usize {
        let index = self.index(name);
        let bound = self.bound.map_or(usize::MAX, |bound| bound / self.brokers.len());
        self.brokers[index].file(look, bound);
        index
    }

    /// From now on they take at most about this many bytes: the looks that are missed least
    /// go, and names that find no room are left out.
    pub const fn bound(&mut self, bytes: usize) {
        self.bound = Some(bytes);
    }

    /// Notes that this many names were left out of a look before it was taken.
    pub fn left_out(&mut self, broker: &str, names: u64) {
        let index = self.index(broker);
        self.brokers[index].left_out(names);
    }

    /// How many looks were let go because memory was short.
    pub fn looks_let_go(&self) -> u64 {
        self.brokers.iter().map(|broker| broker.looks_let_go).sum()
    }

    /// How many names of queues, exchanges and routing keys were not kept because memory
    /// was short.
    pub fn names_left_out(&self) -> u64 {
        self.brokers.iter().map(|broker| broker.names_left_out).sum()
    }

    fn index(&mut self, name: &str) -> usize {
        let index = self.brokers.partition_point(|broker| &*broker.name < name);
        if self.brokers.get(index).is_none_or(|broker| &*broker.name != name) {
            self.brokers.insert(index, Broker::new(name));
        }
        index
    }

    pub fn iter(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Broker> {
        self.brokers.iter().find(|broker| &*broker.name == name)
    }

    pub fn is_empty(&self) -> bool {
        self.brokers.is_empty()
    }

    /// How many looks were taken, those that were let go included.
    pub fn looks(&self) -> u64 {
        self.brokers.iter().map(|broker| broker.taken).sum()
    }

    /// The last look at each broker.
    pub fn last_looks(&self) -> impl Iterator<Item = &Look> {
        self.brokers.iter().filter_map(Broker::last)
    }

    /// About how many bytes they take. The names of queues are shared, and
    /// counted where they are ([`Names`](super::Names)).
    pub fn bytes(&self) -> usize {
        self.brokers.iter().map(|broker| size_of::<Broker>() + broker.bytes).sum()
    }
}
