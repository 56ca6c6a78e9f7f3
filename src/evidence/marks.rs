//! Marks of what was let go.

use std::hash::BuildHasher;

use super::unit::Unit;
use crate::model::SecretHash;

/// A bounded memory of what was let go, so that what comes late is not taken for an orphan.
/// When it is full the older half is forgotten, and the report says so.
///
/// A mark is four bytes in one of two rows, so that very many fit. It is wrong about a unit
/// that was never let go once in tens of millions.
#[derive(Debug)]
pub struct Marks {
    /// Ids come from outside: the sender must not be able to make marks collide.
    key: SecretHash,
    /// How many rows each half has.
    rows: usize,
    young: Vec<Row>,
    old: Vec<Row>,
    /// How many marks stand in each half.
    set: [u64; 2],
    /// How many marks were forgotten.
    pub forgotten: u64,
}

/// Marks, with zeros where there is room.
type Row = [u32; Marks::IN_A_ROW];

impl Marks {
    /// As many marks as one line of a processor's cache holds.
    const IN_A_ROW: usize = 16;

    /// Marks that take this many bytes.
    pub fn within(bytes: usize) -> Self {
        Self {
            key: SecretHash::default(),
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

    /// Marks a unit.
    pub fn set(&mut self, unit: &Unit) {
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

    /// Whether a unit is marked.
    pub fn has(&self, unit: &Unit) -> bool {
        if self.young.is_empty() {
            return false;
        }
        let (mark, rows) = self.places(unit);
        let has = |half: &[Row]| rows.iter().any(|row| half.get(*row).is_some_and(|row| row.contains(&mark)));
        has(&self.young) || has(&self.old)
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
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
    fn the_oldest_marks_are_forgotten_first_and_that_is_counted() {
        const BYTES: usize = 16 << 10;
        let mut marks = Marks::within(BYTES);
        let mut set = 0;
        while marks.forgotten == 0 {
            marks.set(&task(set));
            marks.set(&task(set));
            set += 1;
            assert!(marks.forgotten > 0 || marks.has(&task(0)), "of {set}");
        }
        assert!(marks.bytes() <= BYTES);
        // A mark takes about five bytes.
        assert!(set * 6 > BYTES, "{set} marks were kept");
        let kept = (0..set).filter(|number| marks.has(&task(*number))).count();
        assert_eq!(marks.forgotten + kept as u64, set as u64);
        assert!((set - kept..set).all(|number| marks.has(&task(number))), "the latest are there");
        assert!(!marks.has(&task(0)));
        assert!((set..set + 10_000).all(|number| !marks.has(&task(number))));
    }
}
