//! The age of evidence, by the order in which it arrived.
//!
//! Ages are measured from arrival, on a clock that never runs backwards. The senders'
//! clocks decide nothing here.

use std::collections::VecDeque;
use std::time::Duration;

use super::marks::Marks;
use super::unit::Unit;

/// A moment on the receiver's monotonic clock, in milliseconds since its start.
/// Of evidence from files it only says what came before what.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Moment(u64);

impl Moment {
    /// Later than any other.
    pub const LAST: Self = Self(u64::MAX);

    pub fn at(since_start: Duration) -> Self {
        Self(u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment this much earlier; `None` if that is before the first.
    pub fn before(self, age: Duration) -> Option<Self> {
        self.0.checked_sub(Self::at(age).0).map(Self)
    }

    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The state of a trace or a task, from its first sign until it is let go.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Age {
    /// When something new about it last came.
    pub touched: Moment,
    /// Whether it stands in the line of what has not settled.
    is_open: bool,
    /// Whether it stands in the line of what may be let go.
    is_settled: bool,
    /// Whether a part of it was let go before the rest came. Then nothing may be concluded
    /// from what it lacks.
    pub is_remnant: bool,
    /// Whether it began after marks had been forgotten. It may then be the rest of
    /// something that was let go, and is treated as such if anything is missing.
    pub is_late: bool,
}

impl Age {
    /// Whether nothing new has come for it since it was judged to have settled.
    pub const fn has_settled(self) -> bool {
        !self.is_open
    }
}

/// Every unit stands in one of two lines: those that have not settled, by the time when
/// they last changed, and those that may be let go, oldest first. Beside them are the marks
/// of what was let go.
#[derive(Debug)]
pub struct Ages {
    /// The moment that is given to whatever comes now.
    pub now: Moment,
    /// Each unit once, with a moment at which it was seen. Whether it was touched since is
    /// looked up when it reaches the front.
    open: VecDeque<(Moment, Unit)>,
    settled: VecDeque<Unit>,
    /// Units that changed since they were last taken, each at least once.
    fresh: VecDeque<Unit>,
    /// Whether anybody takes the fresh units. Only a receiver does.
    is_watched: bool,
    /// Whether moments differ: those of files do not.
    pub has_clock: bool,
    marks: Marks,
}

impl Default for Ages {
    fn default() -> Self {
        Self {
            now: Moment::default(),
            open: VecDeque::new(),
            settled: VecDeque::new(),
            fresh: VecDeque::new(),
            is_watched: false,
            has_clock: true,
            marks: Marks::within(Self::MARKS),
        }
    }
}

impl Ages {
    /// How many bytes the marks may take unless another limit is set.
    const MARKS: usize = 1 << 20;

    /// From now on the lines are kept. Evidence from files has none.
    pub fn watch(&mut self, bytes_for_marks: usize) {
        self.is_watched = true;
        self.marks = Marks::within(bytes_for_marks);
    }

    /// How long ago a moment was; `None` for evidence from files, which has no moments.
    pub fn since(&self, moment: Moment) -> Option<Duration> {
        (self.is_watched && self.has_clock).then(|| self.now.since(moment))
    }

    /// The age of a unit that is seen for the first time.
    pub fn begin(&mut self, unit: impl FnOnce() -> Unit) -> Age {
        let mut age = Age::default();
        if self.is_watched {
            let unit = unit();
            age.is_remnant = self.marks.has(&unit);
            age.is_late = self.marks.forgotten > 0;
            self.touch(&mut age, || unit);
        }
        age
    }

    /// Notes that something new came for a unit.
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
        self.fresh.push_back(unit);
    }

    /// Takes the unit whose change was noted first, of those that changed since they were
    /// last taken.
    pub fn pop_fresh(&mut self) -> Option<Unit> {
        self.fresh.pop_front()
    }

    /// Takes the unit that has waited longest, if it last changed before `limit`.
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

    /// Notes that a unit taken from the open line has settled.
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

    /// Notes that a unit taken from the settled line has left it.
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

    /// Whether a unit that is not here was let go. Once marks have been forgotten, any unit
    /// may have been.
    pub fn may_have_let_go(&self, unit: &Unit) -> bool {
        self.marks.forgotten > 0 || self.marks.has(unit)
    }

    /// Whether a unit was let go, as far as marks are kept.
    pub fn has_let_go(&self, unit: &Unit) -> bool {
        self.marks.has(unit)
    }

    /// How many marks of what was let go were forgotten.
    pub const fn forgotten_marks(&self) -> u64 {
        self.marks.forgotten
    }

    /// Clears the lines of units that are gone, where they have room for far more than the
    /// `units` that remain.
    pub fn sweep(&mut self, units: usize, is_here: impl Fn(&Unit) -> bool) {
        let wide = units * 3 + 4_096;
        if self.open.capacity().max(self.settled.capacity()).max(self.fresh.capacity()) <= wide {
            return;
        }
        self.open.retain(|(_, unit)| is_here(unit));
        self.settled.retain(&is_here);
        self.fresh.retain(is_here);
        self.open.shrink_to_fit();
        self.settled.shrink_to_fit();
        self.fresh.shrink_to_fit();
    }

    /// About how many bytes the lines and the marks take.
    pub fn bytes(&self) -> usize {
        self.open.capacity() * size_of::<(Moment, Unit)>()
            + (self.settled.capacity() + self.fresh.capacity()) * size_of::<Unit>()
            + self.marks.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: usize) -> Unit {
        Unit::Task(format!("task-{number}").into())
    }

    #[test]
    fn what_begins_after_marks_were_forgotten_may_be_a_rest() {
        let mut ages = Ages::default();
        ages.watch(1);
        let first = ages.begin(|| task(0));
        (1..100).for_each(|number| ages.let_go(&task(number)));
        let late = ages.begin(|| task(1));
        assert!(!first.is_late && late.is_late && ages.forgotten_marks() > 0);
    }

    #[test]
    fn the_lines_shrink_with_what_is_here() {
        let mut ages = Ages::default();
        ages.watch(1024);
        for number in 0..100_000 {
            ages.begin(|| task(number));
        }
        let before = ages.bytes();
        ages.sweep(10, |unit| (0..10).any(|number| *unit == task(number)));
        assert!(ages.bytes() < before / 100, "{} of {before}", ages.bytes());
        assert_eq!((ages.open().count(), ages.fresh.len()), (10, 10));
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
        assert!(ages.pop_fresh().is_none() && ages.pop_open(ages.now).is_none());
    }
}
