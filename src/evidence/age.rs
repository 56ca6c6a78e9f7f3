//! The age of evidence, by the order in which it arrived, and the marks of what was let go.
//!
//! Ages are measured from arrival, on a clock that never runs backwards. The senders'
//! clocks decide nothing here.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use crate::model::TraceId;

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

/// What settles, and is let go, as a whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Unit {
    Trace(TraceId),
    Task(Arc<str>),
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
    fresh: Vec<Unit>,
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
            fresh: Vec::new(),
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
        self.fresh.push(unit);
    }

    /// Takes the units that changed since the last call.
    pub fn take_fresh(&mut self) -> Vec<Unit> {
        std::mem::take(&mut self.fresh)
    }

    /// Puts back units that were taken and for which there was no time.
    pub fn put_back(&mut self, fresh: impl IntoIterator<Item = Unit>) {
        let since = std::mem::take(&mut self.fresh);
        self.fresh.extend(fresh);
        self.fresh.extend(since);
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

/// A bounded memory of what was let go, so that what comes late is not taken for an orphan.
/// When it is full the older half is forgotten, and the report says so.
///
/// A mark is four bytes in one of two rows, so that very many fit. It is wrong about a unit
/// that was never let go once in tens of millions.
#[derive(Debug)]
struct Marks {
    /// Ids come from outside: the sender must not be able to make marks collide.
    key: RandomState,
    /// How many rows each half has.
    rows: usize,
    young: Vec<Row>,
    old: Vec<Row>,
    /// How many marks stand in each half.
    set: [u64; 2],
    forgotten: u64,
}

/// Marks, with zeros where there is room.
type Row = [u32; Marks::IN_A_ROW];

impl Marks {
    /// As many marks as one line of a processor's cache holds.
    const IN_A_ROW: usize = 16;

    fn within(bytes: usize) -> Self {
        Self {
            key: RandomState::new(),
            rows: (bytes / 2 / size_of::<Row>()).max(1),
            young: Vec::new(),
            old: Vec::new(),
            set: [0; 2],
            forgotten: 0,
        }
    }

    /// A unit's mark, and the rows in which it may stand.
    fn places(&self, unit: &Unit) -> (u32, [usize; 2]) {
        let hash = self.key.hash_one(unit);
        #[allow(clippy::cast_possible_truncation, reason = "a part of the hash is meant")]
        let half = |hash: u64| (hash >> 32) as u32;
        let row = |hash: u64| {
            // Spread over all rows, without a division.
            let row = (u64::from(half(hash)) * self.rows as u64) >> 32;
            usize::try_from(row).expect("there are not more rows")
        };
        let second = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (half(hash << 32).max(1), [row(hash), row(second)])
    }

    fn set(&mut self, unit: &Unit) {
        let (mark, rows) = self.places(unit);
        if self.young.is_empty() {
            self.young = vec![[0; Self::IN_A_ROW]; self.rows];
        }
        if rows.iter().any(|row| self.young[*row].contains(&mark)) {
            return;
        }
        let [first, second] = rows.map(|row| self.young[row].iter().filter(|mark| **mark == 0).count());
        let row = if first >= second { rows[0] } else { rows[1] };
        let place = self.young[row].iter().position(|mark| *mark == 0).unwrap_or_else(|| {
            self.forget();
            0
        });
        self.young[row][place] = mark;
        self.set[0] += 1;
    }

    /// Makes room by dropping the older half.
    fn forget(&mut self) {
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
        self.young.resize(self.rows, [0; Self::IN_A_ROW]);
        self.forgotten += self.set[1];
        self.set = [0, self.set[0]];
    }

    fn has(&self, unit: &Unit) -> bool {
        if self.young.is_empty() {
            return false;
        }
        let (mark, rows) = self.places(unit);
        let has = |half: &[Row]| rows.iter().any(|row| half.get(*row).is_some_and(|row| row.contains(&mark)));
        has(&self.young) || has(&self.old)
    }

    fn bytes(&self) -> usize {
        (self.young.capacity() + self.old.capacity()) * size_of::<Row>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(number: usize) -> Unit {
        Unit::Task(format!("task-{number}").into())
    }

    #[test]
    fn the_oldest_marks_are_forgotten_first_and_that_is_told() {
        const BYTES: usize = 16 << 10;
        let mut ages = Ages::default();
        ages.watch(BYTES);
        let has = |ages: &Ages, number| ages.marks.has(&task(number));
        let mut set = 0;
        while ages.forgotten_marks() == 0 {
            ages.let_go(&task(set));
            ages.let_go(&task(set));
            set += 1;
            assert!(ages.forgotten_marks() > 0 || has(&ages, 0), "of {set}");
        }
        assert!(ages.marks.bytes() <= BYTES);
        // A mark takes about five bytes.
        assert!(set * 6 > BYTES, "{set} marks were kept");
        let kept = (0..set).filter(|number| has(&ages, *number)).count();
        assert_eq!(ages.forgotten_marks() + kept as u64, set as u64);
        assert!((set - kept..set).all(|number| has(&ages, number)), "the latest are there");
        assert!(!has(&ages, 0) && ages.may_have_let_go(&task(0)));
        assert!((set..set + 10_000).all(|number| !has(&ages, number)));
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
        assert_eq!((ages.open().count(), ages.take_fresh().len()), (10, 10));
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
