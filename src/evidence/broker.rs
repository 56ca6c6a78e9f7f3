//! What was seen in the brokers, one look after the other.
//!
//! Absence is evidence only where a look was complete: a message that is not
//! among the hundred that were read may be the hundred and first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{MessageState, Timestamp};

/// One look at one broker.
#[derive(Clone, Default, Debug)]
pub struct Look {
    pub at: Timestamp,
    /// Queues by name, with what was found in them.
    pub queues: BTreeMap<Arc<str>, QueueSeen>,
    /// Whether all of `unacked` was read.
    pub unacked_complete: bool,
    /// Live workers, by their `pidbox` binding; `None` where bindings were not read.
    pub workers: Option<BTreeSet<Box<str>>>,
    /// Queues by the exchange that they are bound to.
    pub bindings: BTreeMap<Box<str>, BTreeSet<Box<str>>>,
    /// Routing keys by which anything is bound.
    pub routing_keys: BTreeSet<Box<str>>,
    /// Whether all keys were looked at, so that a queue that is not there is empty.
    pub complete: bool,
}

/// A queue at one look, over all its priorities.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct QueueSeen {
    pub ready: u64,
    pub unacked: u64,
    pub read: u64,
    /// Entries that are no Celery message.
    pub foreign: u64,
    /// Whether every entry was read.
    pub complete: bool,
    /// The length of the list of each priority step.
    pub priorities: BTreeMap<u32, u64>,
}

impl Look {
    /// What was found in a queue, to be added to.
    pub fn queue(&mut self, name: Arc<str>) -> &mut QueueSeen {
        self.queues.entry(name).or_insert_with(|| QueueSeen { complete: true, ..QueueSeen::default() })
    }

    /// Whether a message of `queue` that was not seen was not there.
    pub fn shows_absence_from(&self, queue: &str) -> bool {
        self.unacked_complete
            && match self.queues.get(queue) {
                Some(seen) => seen.complete,
                None => self.complete,
            }
    }

    /// Whether a message to `destination` (a queue or a routing key) through
    /// `exchange` may reach a queue. How a topic matches is not looked into: an
    /// exchange with any binding may route it.
    pub fn routes(&self, exchange: Option<&str>, destination: &str) -> bool {
        if let Some(exchange) = exchange.filter(|exchange| !exchange.is_empty()) {
            return self.bindings.contains_key(exchange);
        }
        self.queues.contains_key(destination)
            || self.bindings.contains_key(destination)
            || self.routing_keys.contains(destination)
            || self.bindings.values().any(|queues| queues.contains(destination))
    }

    pub fn has_no_worker(&self) -> bool {
        self.workers.as_ref().is_some_and(BTreeSet::is_empty)
    }

    pub fn has_worker(&self) -> bool {
        self.workers.as_ref().is_some_and(|workers| !workers.is_empty())
    }
}

/// The looks at one broker, in the order of their time.
#[derive(Default, Debug)]
pub struct Broker {
    /// `host:port/db`, or empty where the snapshot does not say.
    pub name: Box<str>,
    pub looks: Vec<Look>,
}

impl Broker {
    pub fn last(&self) -> Option<&Look> {
        self.looks.last()
    }

    /// Whether a message of `queue`, last seen at `seen`, had left both the
    /// queue and `unacked` at a later look.
    pub fn shows_gone(&self, queue: &str, seen: Timestamp) -> bool {
        self.looks.iter().rev().take_while(|look| look.at > seen).any(|look| look.shows_absence_from(queue))
    }
}

/// All brokers that were looked at.
#[derive(Default, Debug)]
pub struct Brokers {
    brokers: Vec<Broker>,
}

impl Brokers {
    /// Files a look in the history of the broker of this name.
    pub fn insert(&mut self, name: &str, look: Look) -> usize {
        let index = self.index(name);
        let looks = &mut self.brokers[index].looks;
        let place = looks.partition_point(|earlier| earlier.at <= look.at);
        looks.insert(place, look);
        index
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(index) = self.brokers.iter().position(|broker| &*broker.name == name) {
            return index;
        }
        self.brokers.push(Broker { name: name.into(), looks: Vec::new() });
        self.brokers.len() - 1
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

    pub fn looks(&self) -> u64 {
        self.brokers.iter().map(|broker| broker.looks.len() as u64).sum()
    }

    /// The last look at each broker.
    pub fn last_looks(&self) -> impl Iterator<Item = &Look> {
        self.brokers.iter().filter_map(Broker::last)
    }
}

/// When and where a message was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Sight {
    pub at: Timestamp,
    pub state: MessageState,
    pub redelivered: bool,
}
