//! The looks at one broker, one after the other.
//!
//! Absence is evidence only where a look was complete: a message that is not
//! among the hundred that were read may be the hundred and first.
//!
//! A watch looks every second for as long as it runs, so the number of looks that are kept
//! is bounded. What diagnoses ask about all of them (where a message may be routed, when a
//! queue was last read without it) is kept as a running answer that does not depend on
//! their order. Of the looks themselves, the history is dense for the last minutes and
//! sparse for the hours before.

use super::absences::Absences;
use super::look::Look;
use super::routes::Routes;
use crate::model::Timestamp;

/// The looks at one broker.
#[derive(Default, Debug)]
pub struct Broker {
    /// `host:port/db`, or empty where the snapshot does not say.
    pub name: Box<str>,
    /// In the order of their time: the first, the last, and enough of those between to show
    /// how it came about.
    looks: Vec<Look>,
    pub(super) taken: u64,
    routes: Routes,
    absences: Absences,
    everywhere: Option<Timestamp>,
    pub(super) bytes: usize,
    /// How many of these bytes do not belong to looks.
    names_bytes: usize,
    /// Looks that were let go because memory was short.
    pub(super) looks_let_go: u64,
    /// The most names in one look that were not kept.
    pub(super) names_left_out: u64,
}

impl Broker {
    /// How many looks are kept. A handful of snapshots fits whole.
    pub const LOOKS: usize = 64;

    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Files a look. `bound` is how many bytes the whole history may take.
    pub(super) fn file(&mut self, mut look: Look, bound: usize) {
        self.taken += 1;
        let left_out = look.leave_out(bound / 4);
        // Half of the bound is for names, and half of that for where each queue was absent.
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

    /// Notes that this many names were left out before a look was taken.
    pub(super) fn left_out(&mut self, names: u64) {
        self.names_left_out = self.names_left_out.max(names);
    }

    /// Lets go of the look that is missed least: the one with the closest neighbours for
    /// its age. So the history gets sparser the older it is.
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
            // Which queue a routing key leads to is not looked up: all queues were read.
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

#[cfg(test)]
mod tests;
