//! How old what is known is, by the order in which it came, and the marks of
//! what was let go.
//!
//! Ages count from arrival on a clock that never runs backwards: what the
//! senders' clocks say decides nothing here.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Set, TraceId};

/// A moment on the receiver's monotonic clock, in milliseconds since its start.
/// Evidence from files has no other moment than the first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Moment(u64);

impl Moment {
    /// Later than any other.
    pub const LAST: Self = Self(u64::MAX);

    pub fn at(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment so long before this one; `None` before the first.
    pub fn before(self, age: Duration) -> Option<Self> {
        self.0.checked_sub(Self::at(age).0).map(Self)
    }

    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// What settles, and is let go, as a whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    Trace(TraceId),
    Task(Arc<str>),
}

/// Where a trace or a task stands between its first sign and its going.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Age {
    /// When something new of it came last.
    pub touched: Moment,
    /// Whether it stands in the line of what has not settled.
    is_open: bool,
    /// Whether it stands in the line of what may be let go.
    is_settled: bool,
    /// Whether a part of it was let go before the rest came: nothing may be
    /// built on what it lacks.
    pub is_remnant: bool,
}

impl Age {
    /// Whether nothing new of it came since it was judged to have settled.
    pub const fn has_settled(self) -> bool {
        !self.is_open
    }
}

/// The two lines in which everything stands: what has not settled, by the time
/// when it last changed, and what may be let go, oldest first. Beside them the
/// marks of what was let go.
#[derive(Debug)]
pub struct Ages {
    /// The moment at which whatever comes is said to come.
    pub now: Moment,
    /// Each unit once, with a moment at which it was known. It may have been
    /// touched since, which is looked up when it comes to the front.
    open: VecDeque<(Moment, Unit)>,
    settled: VecDeque<Unit>,
    /// Units that something came for since they were last taken, each at least once.
    fresh: Vec<Unit>,
    /// Whether anybody takes what is fresh: a receiver does.
    is_watched: bool,
    marks: Marks,
}

impl Default for Ages {
    fn default() -> Self {
        Self {
            now: Moment::default(),
            open: VecDeque::new(),
            settled: VecDeque::new(),
            fresh: Vec::new(),
            is_watched: false,
            marks: Marks::new(Self::MARKS),
        }
    }
}

impl Ages {
    /// How many marks are kept unless another number is set.
    const MARKS: usize = 1 << 16;

    /// From now on the lines are kept; evidence from files has none.
    pub fn watch(&mut self, bytes_for_marks: usize) {
        self.is_watched = true;
        self.marks.limit = (bytes_for_marks / Marks::BYTES).max(1);
    }

    /// How long ago a moment was; `None` of evidence from files, which has no moments.
    pub fn since(&self, moment: Moment) -> Option<Duration> {
        self.is_watched.then(|| self.now.since(moment))
    }

    /// The age of a unit that is heard of for the first time.
    pub fn begin(&mut self, unit: impl FnOnce() -> Unit) -> Age {
        let mut age = Age::default();
        if self.is_watched {
            let unit = unit();
            age.is_remnant = self.marks.has(&unit);
            self.touch(&mut age, || unit);
        }
        age
    }

    /// Says that something new came for a unit.
    #[inline]
    pub fn touch(&mut self, age: &mut Age, unit: impl FnOnce() -> Unit) {
        if !self.is_watched {
            return;
        }
        // The first touch since the last round makes it fresh; the next ones
        // of the same moment change nothing.
        if age.is_open && age.touched == self.now {
            return;
        }
        age.touched = self.now;
        let unit = unit();
        if !age.is_open {
            age.is_open = true;
            self.open.push_back((self.now, unit.clone()));
        }
        self.fresh.push(unit);
    }

    /// Takes the units that something came for since the last call.
    pub fn take_fresh(&mut self) -> Vec<Unit> {
        std::mem::take(&mut self.fresh)
    }

    /// Puts back units that were taken and found no time.
    pub fn put_back(&mut self, fresh: impl IntoIterator<Item = Unit>) {
        let since = std::mem::take(&mut self.fresh);
        self.fresh.extend(fresh);
        self.fresh.extend(since);
    }

    /// Takes the unit that has waited for longest, if that was before `limit`.
    pub fn pop_open(&mut self, limit: Moment) -> Option<Unit> {
        let (moment, _) = self.open.front()?;
        if *moment > limit {
            return None;
        }
        self.open.pop_front().map(|(_, unit)| unit)
    }

    /// What stands in the open line; some of it may have settled since.
    pub fn open(&self) -> impl Iterator<Item = &Unit> {
        self.open.iter().map(|(_, unit)| unit)
    }

    /// Says of a unit that was taken from the open line that it has settled.
    pub fn settle(&mut self, age: &mut Age, unit: Unit) {
        age.is_open = false;
        if !age.is_settled {
            age.is_settled = true;
            self.settled.push_back(unit);
        }
    }

    /// Puts a unit that was taken from the open line back into it.
    pub fn wait(&mut self, touched: Moment, unit: Unit) {
        self.open.push_back((touched, unit));
    }

    /// Takes the unit that settled first.
    pub fn pop_settled(&mut self) -> Option<Unit> {
        self.settled.pop_front()
    }

    /// Says of a unit that was taken from the settled line that it left it.
    pub const fn leave(age: &mut Age) {
        age.is_settled = false;
    }

    /// Puts a unit back at the front of the settled line.
    pub fn stay(&mut self, age: &mut Age, unit: Unit) {
        age.is_settled = true;
        self.settled.push_front(unit);
    }

    pub fn let_go(&mut self, unit: &Unit) {
        self.marks.set(unit);
    }

    pub fn was_let_go(&self, unit: &Unit) -> bool {
        self.marks.has(unit)
    }

    /// About how many bytes the lines and the marks take.
    pub fn bytes(&self) -> usize {
        self.open.capacity() * size_of::<(Moment, Unit)>()
            + (self.settled.capacity() + self.fresh.capacity()) * size_of::<Unit>()
            + self.marks.bytes()
    }
}

/// A bounded memory of what was let go, so that what comes late is not taken
/// for an orphan. The oldest marks are forgotten first.
#[derive(Debug)]
struct Marks {
    /// Ids come from outside: nobody there knows which of them meet.
    key: RandomState,
    limit: usize,
    order: VecDeque<u64>,
    known: Set<u64>,
}

impl Marks {
    /// About what one mark takes, in its order and in its set.
    const BYTES: usize = 8 + 8 * 3;

    fn new(limit: usize) -> Self {
        Self { key: RandomState::new(), limit, order: VecDeque::new(), known: Set::default() }
    }

    fn hash(&self, unit: &Unit) -> u64 {
        self.key.hash_one(unit)
    }

    fn set(&mut self, unit: &Unit) {
        let hash = self.hash(unit);
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
        !self.known.is_empty() && self.known.contains(&self.hash(unit))
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
        ages.watch(10 * Marks::BYTES);
        (0..25).for_each(|number| ages.let_go(&task(number)));
        assert!((0..15).all(|number| !ages.was_let_go(&task(number))));
        assert!((15..25).all(|number| ages.was_let_go(&task(number))));
    }

    #[test]
    fn an_age_is_counted_from_arrival() {
        let now = Moment::at(Duration::from_secs(10));
        assert_eq!(now.before(Duration::from_secs(4)), Some(Moment::at(Duration::from_secs(6))));
        assert_eq!(now.before(Duration::from_secs(40)), None);
        assert_eq!(now.since(Moment::at(Duration::from_secs(7))), Duration::from_secs(3));
    }

    #[test]
    fn a_unit_stands_in_the_open_line_once_however_often_it_is_touched() {
        let mut ages = Ages::default();
        ages.watch(1024);
        let mut age = ages.begin(|| task(1));
        for second in 1..5 {
            ages.now = Moment::at(Duration::from_secs(second));
            ages.touch(&mut age, || task(1));
        }
        assert_eq!(ages.pop_open(ages.now), Some(task(1)));
        assert_eq!(ages.pop_open(ages.now), None);
        assert_eq!(age.touched, ages.now, "it waits on");
        ages.settle(&mut age, task(1));
        assert!(age.has_settled());
        ages.now = Moment::at(Duration::from_secs(9));
        ages.touch(&mut age, || task(1));
        assert!(!age.has_settled(), "what comes late opens it again");
        assert_eq!(ages.pop_open(ages.now), Some(task(1)));
    }

    #[test]
    fn evidence_from_files_keeps_no_lines() {
        let mut ages = Ages::default();
        let mut age = ages.begin(|| task(1));
        ages.touch(&mut age, || task(1));
        assert!(ages.take_fresh().is_empty() && ages.pop_open(ages.now).is_none());
    }
}
