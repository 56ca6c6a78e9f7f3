//! What was seen in the brokers, one look after the other.
//!
//! Absence is evidence only where a look was complete: a message that is not
//! among the hundred that were read may be the hundred and first.
//!
//! A watch looks every second for as long as it runs, so what is kept of its
//! looks is bounded: what a diagnosis asks of all of them (where a message may
//! be routed, when a queue was last seen without it) is a running answer that
//! does not depend on their order, and of the looks themselves a history stays
//! that is dense for the last minutes and sparse for the hours before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::RequestedQueues;
use crate::model::weight::{allocation, in_tree};
use crate::model::{MessageState, Timestamp};
use crate::wire::broker::QueueDepth;

/// One look at one broker.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Look {
    pub at: Timestamp,
    /// Queues by name, with what was found in them; their depth by priority is
    /// empty in all looks of a history but the last.
    pub queues: BTreeMap<Arc<str>, QueueDepth>,
    /// Whether all of `unacked` was read.
    pub unacked_complete: bool,
    /// Live workers, by their mailboxes; `None` where they were not looked for,
    /// and in all looks of a history but the last.
    pub workers: Option<BTreeSet<Box<str>>>,
    /// Where a message may be routed.
    pub routes: Routes,
    /// The moment since which every key that is there was met, so that a queue
    /// that was not found is empty. `None` where not all keys were looked at.
    pub complete_since: Option<Timestamp>,
    /// The queues that were asked for by name; `None` where all were.
    pub requested: Option<RequestedQueues>,
    /// Whether it ended before all names were met, by no choice of the user.
    pub ended_early: bool,
}

impl Look {
    /// The moment until which a message of `queue` that was not seen may have
    /// been there; `None` where it may be there still.
    pub fn shows_absence_from(&self, queue: &str) -> Option<Timestamp> {
        if !self.unacked_complete {
            return None;
        }
        match self.queues.get(queue) {
            Some(seen) => seen.complete.then_some(self.at),
            None => self.complete_since,
        }
    }

    pub fn has_no_worker(&self) -> bool {
        self.workers.as_ref().is_some_and(BTreeSet::is_empty)
    }

    pub fn has_worker(&self) -> bool {
        self.workers.as_ref().is_some_and(|workers| !workers.is_empty())
    }

    /// About how many bytes it takes, its routes left out. It goes through all
    /// queues, so it is asked when the look is filed, and what it says is kept.
    fn bytes(&self) -> usize {
        const QUEUE: usize = in_tree(size_of::<(Arc<str>, QueueDepth)>());
        /// One node of the tree: there are few steps.
        const PRIORITIES: usize = allocation(11 * size_of::<(u64, u64)>());
        let with_priorities = self.queues.values().filter(|depth| !depth.priorities.is_empty());
        let workers = self.workers.iter().flatten().map(|worker| name_bytes(worker));
        size_of::<Self>()
            + self.queues.len() * QUEUE
            + with_priorities.count() * PRIORITIES
            + workers.sum::<usize>()
    }

    /// Leaves queues out where it takes more than so many bytes, and says how
    /// many. Those go first that are empty: of a queue that is not in it a look
    /// says the same, as long as every queue was met.
    fn leave_out(&mut self, bound: usize) -> u64 {
        let bytes = self.bytes();
        if bytes <= bound {
            return 0;
        }
        let each = (bytes / self.queues.len().max(1)).max(1);
        let mut surplus = (bytes - bound).div_ceil(each).min(self.queues.len());
        let before = self.queues.len();
        self.queues.retain(|_, depth| {
            let goes = surplus > 0 && depth.complete && depth.ready == 0 && depth.unacked == 0;
            surplus -= usize::from(goes);
            !goes
        });
        if surplus > 0 {
            // Of one that holds something it would say that it is empty.
            self.complete_since = None;
            self.queues.retain(|_, _| {
                let goes = surplus > 0;
                surplus -= usize::from(goes);
                !goes
            });
        }
        (before - self.queues.len()) as u64
    }

    /// Leaves only what is asked of a look that is not the last one.
    fn thin(&mut self) {
        self.workers = self.workers.take().filter(BTreeSet::is_empty);
        self.queues.values_mut().for_each(|queue| queue.priorities.clear());
    }
}

/// Where messages are routed, as far as bindings and lists show it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Routes {
    pub exchanges: BTreeSet<Box<str>>,
    /// Routing keys by which anything is bound.
    pub routing_keys: BTreeSet<Box<str>>,
    /// Queues that are bound, or seen.
    pub queues: BTreeSet<Box<str>>,
    /// Whether there were more names than are kept.
    pub(super) is_cut: bool,
}

impl Routes {
    /// How many names of each kind are kept. An application has a handful; what
    /// makes more of them is no application, or not one's own.
    const NAMES: usize = 20_000;

    /// Whether a message to `destination` (a queue or a routing key) through
    /// `exchange` may reach a queue. How a topic matches is not looked into: an
    /// exchange with any binding may route it.
    fn lead(&self, exchange: Option<&str>, destination: &str) -> bool {
        if self.is_cut {
            return true;
        }
        if let Some(exchange) = exchange.filter(|exchange| !exchange.is_empty()) {
            return self.exchanges.contains(exchange);
        }
        [&self.queues, &self.exchanges, &self.routing_keys].iter().any(|names| names.contains(destination))
    }

    /// Takes over what a look shows as far as there is room, and says how many
    /// bytes it has grown by and how many names were left out.
    fn learn(&mut self, others: Self, queues: impl Iterator<Item = Arc<str>>, room: usize) -> (usize, u64) {
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
const fn name_bytes(name: &str) -> usize {
    in_tree(size_of::<Box<str>>()) + allocation(name.len())
}

/// Until when a message that was not seen may have been in its queue, by the
/// last look that shows its absence.
///
/// It is a maximum for each queue, so neither the order of looks nor their
/// number changes it, and it takes the place of asking each of them.
#[derive(Default, Debug)]
struct Absences {
    /// Of each queue that was in any look.
    queues: BTreeMap<Arc<str>, Absence>,
    /// Of a queue that was in none.
    elsewhere: Option<Timestamp>,
    /// When all queues were read to their end.
    everywhere: Option<Timestamp>,
    /// Whether there were more queues than are kept: of those nothing is said.
    is_cut: bool,
}

/// Until when a message that was not seen may have been in one queue.
#[derive(Clone, Copy, Default, Debug)]
struct Absence {
    /// By any look.
    until: Option<Timestamp>,
    /// By the looks that found the queue bound or filled, and read it to its end.
    read: Option<Timestamp>,
}

impl Absences {
    /// Takes over what a look shows as far as there is room, and says how many
    /// bytes it has grown by.
    fn learn(&mut self, look: &Look, room: usize) -> usize {
        const QUEUE: usize = in_tree(size_of::<(Arc<str>, Option<Timestamp>)>());
        let before = self.queues.len();
        for queue in look.queues.keys() {
            if self.queues.contains_key(queue) {
                continue;
            }
            if self.queues.len() < Routes::NAMES && (self.queues.len() - before + 1) * QUEUE <= room {
                // No look before this one had it, so they say of it what they
                // say of a queue that they do not know.
                let absence = Absence { until: self.elsewhere, read: None };
                self.queues.insert(Arc::clone(queue), absence);
            } else {
                self.is_cut = true;
            }
        }
        for (queue, absence) in &mut self.queues {
            let until = look.shows_absence_from(queue);
            absence.until = absence.until.max(until);
            if look.queues.contains_key(queue) {
                absence.read = absence.read.max(until);
            }
        }
        if look.unacked_complete {
            self.elsewhere = self.elsewhere.max(look.complete_since);
            if !look.queues.is_empty() && look.queues.values().all(|queue| queue.complete) {
                self.everywhere = self.everywhere.max(Some(look.at));
            }
        }
        (self.queues.len() - before) * QUEUE
    }

    /// When a look last found this queue bound or filled, and read it to its end.
    fn read(&self, queue: &str) -> Option<Timestamp> {
        self.queues.get(queue)?.read
    }

    fn of(&self, queue: &str) -> Option<Timestamp> {
        match self.queues.get(queue) {
            Some(absence) => absence.until,
            None if self.is_cut => None,
            None => self.elsewhere,
        }
    }
}

/// The looks at one broker.
#[derive(Default, Debug)]
pub struct Broker {
    /// `host:port/db`, or empty where the snapshot does not say.
    pub name: Box<str>,
    /// In the order of their time: the first, the last, and of those between
    /// as many as say how it came to be so.
    looks: Vec<Look>,
    taken: u64,
    routes: Routes,
    absences: Absences,
    everywhere: Option<Timestamp>,
    bytes: usize,
    /// How many of them are not of looks.
    names_bytes: usize,
    /// Looks that went for want of memory.
    looks_let_go: u64,
    /// The most names that a look showed and that were not kept.
    names_left_out: u64,
}

impl Broker {
    /// How many looks are kept. A handful of snapshots is kept whole.
    pub const LOOKS: usize = 64;

    /// Files a look; `bound` is how many bytes all of it may take.
    fn file(&mut self, mut look: Look, bound: usize) {
        self.taken += 1;
        let left_out = look.leave_out(bound / 4);
        // Half of it is for names, half of that for where each queue was absent.
        let room = |taken: usize| (bound / 2).saturating_sub(taken);
        let absences = self.absences.learn(&look, room(self.names_bytes) / 2);
        self.names_bytes += absences;
        self.everywhere = self.everywhere.max(look.complete_since);
        let routes = std::mem::take(&mut look.routes);
        let (grown, unknown) = self.routes.learn(routes, look.queues.keys().cloned(), room(self.names_bytes));
        self.names_bytes += grown;
        self.bytes += absences + grown;
        self.names_left_out = self.names_left_out.max(left_out.max(unknown));
        let place = self.looks.partition_point(|earlier| *earlier <= look);
        if place < self.looks.len() {
            look.thin();
        } else if let Some(last) = self.looks.last_mut() {
            self.bytes -= last.bytes();
            last.thin();
            self.bytes += last.bytes();
        }
        self.bytes += look.bytes();
        self.looks.insert(place, look);
        if self.looks.len() > Self::LOOKS {
            self.let_one_go();
        }
        while self.bytes > bound && self.looks.len() > 1 {
            if self.looks.len() > 2 {
                self.let_one_go();
            } else {
                self.bytes -= self.looks.remove(0).bytes();
            }
            self.looks_let_go += 1;
        }
    }

    /// Says that so many names were left out before a look was taken.
    fn left_out(&mut self, names: u64) {
        self.names_left_out = self.names_left_out.max(names);
    }

    /// Lets the look go that is missed least: the one with the closest
    /// neighbours for its age. The history gets sparser the older it is.
    fn let_one_go(&mut self) {
        let Some(end) = self.last().map(|look| look.at) else { return };
        let gap_for_age = |place: usize| {
            let gap = self.looks[place + 1].at.since(self.looks[place - 1].at);
            let age = end.since(self.looks[place].at);
            gap.as_secs_f64() / age.as_secs_f64().max(f64::MIN_POSITIVE)
        };
        let inner = 1..self.looks.len().saturating_sub(1);
        if let Some(place) = inner.min_by(|one, other| gap_for_age(*one).total_cmp(&gap_for_age(*other))) {
            self.bytes -= self.looks.remove(place).bytes();
        }
    }

    pub fn last(&self) -> Option<&Look> {
        self.looks.last()
    }

    /// Whether any look found a queue here, or where messages are routed.
    pub fn holds_anything(&self) -> bool {
        let Routes { exchanges, queues, .. } = &self.routes;
        !exchanges.is_empty() || !queues.is_empty()
    }

    /// Until when no look had found a worker. `None` where the first one did, or
    /// did not look for any.
    pub fn without_worker_until(&self) -> Option<Timestamp> {
        self.looks.iter().take_while(|look| look.has_no_worker()).last().map(|look| look.at)
    }

    /// The looks that are kept, in the order of their time.
    pub fn looks(&self) -> &[Look] {
        &self.looks
    }

    /// Whether a message of `queue`, last seen at `seen`, had left both the
    /// queue and `unacked` at a later look.
    pub fn shows_gone(&self, queue: &str, seen: Timestamp) -> bool {
        self.absences.of(queue).is_some_and(|until| until > seen)
    }

    /// Whether a message that was published at `sent` to `destination` (a queue or
    /// a routing key) through `exchange`, and was never seen, must have left its
    /// queue: a later look found the queue bound, and read it to its end.
    pub fn shows_taken(&self, exchange: Option<&str>, destination: &str, sent: Timestamp) -> bool {
        let read = match exchange {
            None if self.routes.queues.contains(destination) => self.absences.read(destination),
            // Which queue a routing key leads to is not looked into: all were read.
            _ if self.routes.lead(exchange, destination) => self.absences.everywhere,
            _ => None,
        };
        read.is_some_and(|read| read > sent)
    }

    /// Whether at any look a message to `destination` (a queue or a routing
    /// key) through `exchange` might have reached a queue.
    pub fn routes(&self, exchange: Option<&str>, destination: &str) -> bool {
        self.routes.lead(exchange, destination)
    }

    /// The latest moment since which every key that was there has been met.
    pub fn looked_everywhere_since(&self) -> Option<Timestamp> {
        self.everywhere
    }
}

/// All brokers that were looked at.
#[derive(Default, Debug)]
pub struct Brokers {
    /// In the order of their names, whichever was looked at first.
    brokers: Vec<Broker>,
    /// How many bytes they may take; `None` where there is no bound.
    bound: Option<usize>,
}

impl Brokers {
    /// Files a look in the history of the broker of this name.
    pub fn insert(&mut self, name: &str, look: Look) -> usize {
        let index = self.index(name);
        let bound = self.bound.map_or(usize::MAX, |bound| bound / self.brokers.len());
        self.brokers[index].file(look, bound);
        index
    }

    /// From now on they take at most about so many bytes: looks that are missed
    /// the least go, and names that find no room are left out.
    pub const fn bound(&mut self, bytes: usize) {
        self.bound = Some(bytes);
    }

    /// Says that so many names were left out of a look before it was taken.
    pub fn left_out(&mut self, broker: &str, names: u64) {
        let index = self.index(broker);
        self.brokers[index].left_out(names);
    }

    /// How many looks went for want of memory.
    pub fn looks_let_go(&self) -> u64 {
        self.brokers.iter().map(|broker| broker.looks_let_go).sum()
    }

    /// How many names of queues, exchanges and routing keys were not kept for
    /// want of memory.
    pub fn names_left_out(&self) -> u64 {
        self.brokers.iter().map(|broker| broker.names_left_out).sum()
    }

    fn index(&mut self, name: &str) -> usize {
        let index = self.brokers.partition_point(|broker| &*broker.name < name);
        if self.brokers.get(index).is_none_or(|broker| &*broker.name != name) {
            self.brokers.insert(index, Broker { name: name.into(), ..Broker::default() });
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

/// When and where a message was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Observation {
    pub at: Timestamp,
    pub state: MessageState,
    pub redelivered: bool,
}

impl Observation {
    /// Whether another shows the same, at whatever time.
    pub fn is_like(&self, other: &Self) -> bool {
        (self.state, self.redelivered) == (other.state, other.redelivered)
    }
}

#[cfg(test)]
mod tests;
