//! How old what is known is, by the order in which it came, and the marks of
//! what was let go.
//!
//! Ages count from arrival on a clock that never runs backwards: what the
//! senders' clocks say decides nothing here.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashSet, FxHasher};

use crate::model::TraceId;

/// A moment on the receiver's monotonic clock, in milliseconds since its start.
/// Evidence from files has no other moment than the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Moment(u64);

impl Moment {
    pub fn at(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment so long before this one; the first one at the earliest.
    pub fn before(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(Self::at(age).0))
    }

    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// What is let go as a whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    Trace(TraceId),
    Task(Arc<str>),
}

/// What is here in the order in which it began, and what was let go.
#[derive(Debug)]
pub struct Ages {
    /// The moment at which whatever comes is said to come.
    pub now: Moment,
    /// Each unit with a moment at which it was known: it may have been touched
    /// since, or be gone.
    queue: VecDeque<(Moment, Unit)>,
    marks: Marks,
}

impl Default for Ages {
    fn default() -> Self {
        Self { now: Moment::default(), queue: VecDeque::new(), marks: Marks::new(Self::MARKS) }
    }
}

impl Ages {
    /// How many marks are kept unless another number is set.
    const MARKS: usize = 1 << 16;

    /// Sets how many bytes the marks of what was let go may take.
    pub fn limit_marks(&mut self, bytes: usize) {
        self.marks.limit = (bytes / Marks::BYTES).max(1);
    }

    pub fn began(&mut self, unit: Unit) {
        self.queue.push_back((self.now, unit));
    }

    /// Takes the unit that has been here for longest, with the moment at which
    /// it was last looked at.
    pub fn pop_oldest(&mut self) -> Option<(Moment, Unit)> {
        self.queue.pop_front()
    }

    /// Files a unit again, as touched at that moment.
    pub fn renewed(&mut self, unit: Unit, touched: Moment) {
        self.queue.push_back((touched, unit));
    }

    /// Puts units back that were taken out and are not to go, in their order.
    pub fn put_back(&mut self, units: Vec<(Moment, Unit)>) {
        for unit in units.into_iter().rev() {
            self.queue.push_front(unit);
        }
    }

    /// How many entries there are to go through.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn let_go(&mut self, unit: &Unit) {
        self.marks.set(unit);
    }

    pub fn was_let_go(&self, unit: &Unit) -> bool {
        self.marks.has(unit)
    }

    pub fn bytes(&self) -> usize {
        self.queue.capacity() * size_of::<(Moment, Unit)>() + self.marks.bytes()
    }
}

/// A bounded memory of what was let go, so that what comes late is not taken
/// for an orphan. The oldest marks are forgotten first.
#[derive(Debug)]
struct Marks {
    limit: usize,
    order: VecDeque<u64>,
    known: FxHashSet<u64>,
}

impl Marks {
    /// About what one mark takes, in its order and in its set.
    const BYTES: usize = 8 + 8 * 3;

    fn new(limit: usize) -> Self {
        Self { limit, order: VecDeque::new(), known: FxHashSet::default() }
    }

    fn hash(unit: &Unit) -> u64 {
        BuildHasherDefault::<FxHasher>::default().hash_one(unit)
    }

    fn set(&mut self, unit: &Unit) {
        let hash = Self::hash(unit);
        if !self.known.insert(hash) {
            return;
        }
        self.order.push_back(hash);
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    fn has(&self, unit: &Unit) -> bool {
        !self.known.is_empty() && self.known.contains(&Self::hash(unit))
    }

    fn bytes(&self) -> usize {
        self.order.capacity() * 8 + self.known.capacity() * 9 * 8 / 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: usize) -> Unit {
        Unit::Task(format!("task-{number}").into())
    }

    #[test]
    fn the_oldest_marks_are_forgotten_first() {
        let mut ages = Ages::default();
        ages.limit_marks(10 * Marks::BYTES);
        (0..25).for_each(|number| ages.let_go(&task(number)));
        assert!((0..15).all(|number| !ages.was_let_go(&task(number))));
        assert!((15..25).all(|number| ages.was_let_go(&task(number))));
    }

    #[test]
    fn an_age_is_counted_from_arrival() {
        let now = Moment::at(Duration::from_secs(10));
        assert_eq!(now.before(Duration::from_secs(4)), Moment::at(Duration::from_secs(6)));
        assert_eq!(now.before(Duration::from_secs(40)), Moment::default());
        assert_eq!(now.since(Moment::at(Duration::from_secs(7))), Duration::from_secs(3));
    }
}
