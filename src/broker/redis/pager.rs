//! Reading a list page by page while it moves.
//!
//! Producers push at the head (`LPUSH`), so a list is paged by its distance from the
//! tail, which a push does not change. Two things do change it: a worker takes entries
//! from the tail (`BRPOP`), and a worker that stops gives some back there (`RPUSH`). So
//! each page overlaps the last few entries of the page before. The newest entry read so
//! far is the anchor: where it is found again shows how far the list has moved.

/// How many entries a page reads beyond both of its ends. That many may be taken or given
/// back between two pages at no cost. Where more were taken, the pager goes back to look
/// for its anchor. If more than a page is given back at once, nobody notices.
const REACH: u64 = 16;
/// How often the pager goes back before it gives entries up and says that it read the
/// list incompletely.
const RETREATS: u32 = 100;
/// The intended size of a page, in bytes. It is large enough to hide the round trip, and
/// small enough for reading and judging to overlap.
const PAGE_BYTES: u64 = 1 << 20;
const PAGE_ENTRIES: u64 = 1000;
/// Entries in the first page, when the size of an entry is not known. A page is at most
/// `GROWTH` times as long as the one before, so that memory stays bounded.
const FIRST_PAGE: u64 = 25;
const GROWTH: u64 = 4;

/// A stretch of a list, counted from the tail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    start: u64,
    count: u64,
    /// How many of the entries nearest to the tail were read before, unless the list has
    /// moved.
    known: u64,
    /// How many of the other entries are wanted.
    wanted: u64,
    is_retreat: bool,
}

impl Window {
    /// The ends of its `LRANGE`, both included: -1 is the entry that a worker takes next.
    pub fn range(self) -> (i64, i64) {
        let index = |from_tail: u64| i64::try_from(from_tail).map_or(i64::MIN, |offset| -offset);
        (index(self.start + self.count), index(self.start + 1))
    }
}

/// The outcome of a page.
#[derive(PartialEq, Eq, Debug)]
pub enum Turn {
    /// Entries that were not read before, the newest first as Redis gives them,
    /// and the index of the first as of when reading began.
    Page { entries: Vec<Vec<u8>>, from: u64 },
    /// The list moved too far. Windows that are asked for and not yet answered are void:
    /// read their answers and drop them.
    Retreat,
}

/// Chooses which windows of a list to ask for, and finds out which of their entries are
/// new.
#[derive(Debug)]
pub struct Pager {
    /// The length when reading began.
    len: u64,
    wanted: u64,
    taken: u64,
    /// New entries in the windows that are not yet answered.
    in_flight: u64,
    /// Where the next window begins, counted from the tail.
    next: u64,
    page: u64,
    anchor: Option<Vec<u8>>,
    retreats: u32,
    is_retreating: bool,
    is_at_head: bool,
    lost_its_place: bool,
    has_gap: bool,
    /// Whether the list moved at its tail.
    pub moved: bool,
    /// Entries that came a second time and were left out.
    pub seen_twice: u64,
}

impl Pager {
    /// For a list of `len` entries. Reads the `wanted` entries that workers take next.
    pub fn new(len: u64, wanted: u64) -> Self {
        Self {
            len,
            wanted: wanted.min(len),
            taken: 0,
            in_flight: 0,
            next: 0,
            page: FIRST_PAGE,
            anchor: None,
            retreats: 0,
            is_retreating: false,
            is_at_head: false,
            lost_its_place: false,
            has_gap: false,
            moved: false,
            seen_twice: 0,
        }
    }

    /// The next window to ask for. Windows are answered in the order in which they were
    /// asked for.
    pub fn ask(&mut self) -> Option<Window> {
        let room = self.wanted.saturating_sub(self.taken + self.in_flight);
        if room == 0 || self.is_at_head {
            return None;
        }
        let start = self.next.saturating_sub(self.reach());
        let known = self.next - start;
        let fresh = match &self.anchor {
            Some(_) if self.is_retreating => self.page,
            Some(_) => self.page.min(room.max(self.reach())),
            None => self.page.min(room),
        };
        let wanted = fresh.min(room);
        self.next += fresh;
        self.in_flight += wanted;
        Some(Window { start, count: known + fresh, known, wanted, is_retreat: self.is_retreating })
    }

    /// Takes the answer to a window, the newest entry first.
    pub fn take(&mut self, window: Window, mut entries: Vec<Vec<u8>>) -> Turn {
        self.in_flight = self.in_flight.saturating_sub(window.wanted);
        self.size_page(&entries);
        let Some(known) = self.known_of(window, &entries) else {
            self.retreats += 1;
            self.is_retreating = true;
            self.in_flight = 0;
            self.next = window.start.saturating_sub((self.page - self.reach()).max(1));
            return Turn::Retreat;
        };
        self.is_retreating = false;
        self.is_at_head |= (entries.len() as u64) < window.count;

        entries.truncate(entries.len() - known);
        let room = usize::try_from(self.wanted - self.taken).unwrap_or(usize::MAX);
        // A worker takes the last entries first, so those are kept.
        let excess = entries.len().saturating_sub(room);
        entries.drain(..excess);
        if let Some(newest) = entries.first() {
            self.anchor = Some(newest.clone());
        }
        self.taken += entries.len() as u64;
        let is_done = self.taken == self.wanted;
        self.has_gap |= self.lost_its_place && is_done && (excess > 0 || !self.is_at_head);
        Turn::Page { entries, from: self.len.saturating_sub(self.taken) }
    }

    /// How many entries at the end were read before; `None` where the list has moved so
    /// far that the pager has to go back to know.
    fn known_of(&mut self, window: Window, entries: &[Vec<u8>]) -> Option<usize> {
        let Some(anchor) = &self.anchor else { return Some(0) };
        let expected = usize::try_from(window.known).ok();
        let at_rest = expected.and_then(|known| entries.len().checked_sub(known));
        if at_rest.is_some_and(|index| entries.get(index) == Some(anchor)) {
            return expected;
        }
        self.moved = true;
        if let Some(index) = entries.iter().rposition(|entry| entry == anchor) {
            let known = entries.len() - index;
            if !window.is_retreat && known as u64 > window.known {
                // The entries given back at the tail pushed it away from there. They lie
                // behind this window, unread.
                self.seen_twice += known as u64 - window.known;
                self.has_gap = true;
            }
            return Some(known);
        }
        // This page starts at the tail and holds nothing that was read before: all of
        // that is gone. Other entries may have been given back in its place; then as many
        // at the head are not read.
        if window.start == 0 {
            self.lost_its_place = true;
            return Some(0);
        }
        if self.retreats >= RETREATS {
            self.has_gap = true;
            return Some(0);
        }
        None
    }

    /// Less than a page, so that large entries are not read many times over.
    fn reach(&self) -> u64 {
        (self.page / 4).clamp(1, REACH)
    }

    fn size_page(&mut self, entries: &[Vec<u8>]) {
        let bytes: usize = entries.iter().map(Vec::len).sum();
        if entries.is_empty() {
            return;
        }
        let mean = (bytes / entries.len()).max(1) as u64;
        self.page = (PAGE_BYTES / mean).clamp(1, PAGE_ENTRIES).min(self.page * GROWTH);
    }

    /// Whether every entry from the first page to the last was read or will be, as far as
    /// the pager can tell.
    pub const fn is_complete(&self) -> bool {
        self.wanted == self.len && !self.has_gap
    }

    pub const fn taken(&self) -> u64 {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, VecDeque};

    use proptest::prelude::*;

    use super::*;

    /// A list as Redis holds it: the head, where producers push, is the front.
    #[derive(Default)]
    struct Model {
        list: VecDeque<Vec<u8>>,
        pushed: u32,
    }

    #[derive(Clone, Copy, Debug)]
    enum Move {
        Push(u32),
        Take(u32),
        GiveBack(u32),
    }

    impl Model {
        fn make(&mut self) -> Vec<u8> {
            self.pushed += 1;
            self.pushed.to_string().into_bytes()
        }

        fn apply(&mut self, change: Move) {
            match change {
                Move::Push(count) => (0..count).for_each(|_| {
                    let entry = self.make();
                    self.list.push_front(entry);
                }),
                Move::Take(count) => (0..count).for_each(|_| drop(self.list.pop_back())),
                Move::GiveBack(count) => (0..count).for_each(|_| {
                    let entry = self.make();
                    self.list.push_back(entry);
                }),
            }
        }

        /// `LRANGE` with negative ends, clipped as Redis clips them.
        fn range(&self, (first, last): (i64, i64)) -> Vec<Vec<u8>> {
            let len = i64::try_from(self.list.len()).expect("a short list");
            let (first, last) = ((len + first).max(0), len + last);
            let at = |index: i64| usize::try_from(index).expect("clipped at zero");
            (first..=last).map(|index| self.list[at(index)].clone()).collect()
        }
    }

    /// Reads a list that moves between the answers; the entries, the oldest first.
    fn read(model: &mut Model, limit: u64, mut moves: impl Iterator<Item = Move>) -> (Vec<Vec<u8>>, Pager) {
        let mut pager = Pager::new(model.list.len() as u64, limit);
        let mut windows = VecDeque::new();
        let mut read = Vec::new();
        loop {
            while windows.len() < 2
                && let Some(window) = pager.ask()
            {
                windows.push_back(window);
            }
            let Some(window) = windows.pop_front() else { return (read, pager) };
            match pager.take(window, model.range(window.range())) {
                Turn::Page { entries, .. } => read.extend(entries.into_iter().rev()),
                Turn::Retreat => windows.clear(),
            }
            if let Some(change) = moves.next() {
                model.apply(change);
            }
        }
    }

    fn model_of(len: u32) -> Model {
        let mut model = Model::default();
        model.apply(Move::Push(len));
        model
    }

    #[test]
    fn a_list_at_rest_is_read_from_the_next_one_out_to_the_newest() {
        let mut model = model_of(2500);
        let (entries, pager) = read(&mut model, u64::MAX, std::iter::empty());
        assert!(entries.iter().eq(model.list.iter().rev()));
        assert!(pager.is_complete() && !pager.moved && pager.seen_twice == 0);
    }

    #[test]
    fn a_limit_takes_the_next_ones_out() {
        let mut model = model_of(2500);
        let (entries, pager) = read(&mut model, 150, std::iter::empty());
        assert!(entries.iter().eq(model.list.iter().rev().take(150)));
        assert!(!pager.is_complete());
    }

    #[test]
    fn indexes_are_those_of_the_list_when_reading_began() {
        let mut pager = Pager::new(3, 2);
        let window = pager.ask().expect("two are wanted");
        assert_eq!(window.range(), (-2, -1));
        let entries = vec![b"b".to_vec(), b"a".to_vec()];
        assert_eq!(pager.take(window, entries.clone()), Turn::Page { entries, from: 1 });
        assert_eq!(pager.ask(), None);
    }

    #[test]
    fn a_worker_that_empties_the_list_ends_the_reading() {
        let mut model = model_of(5000);
        let (entries, pager) = read(&mut model, u64::MAX, std::iter::repeat(Move::Take(900)));
        assert!(entries.len() < 5000 && pager.moved && pager.is_complete());
    }

    #[test]
    fn what_is_given_back_behind_the_reader_is_a_gap_and_pushes_what_was_read_before_it() {
        let mut model = model_of(100);
        let (entries, pager) = read(&mut model, u64::MAX, std::iter::once(Move::GiveBack(3)));
        assert_eq!((entries.len(), pager.moved, pager.seen_twice), (100, true, 3));
        assert!(!pager.is_complete());
    }

    #[test]
    fn equal_entries_of_a_foreign_list_are_each_read() {
        let mut model = Model { list: vec![b"same".to_vec(); 700].into(), pushed: 0 };
        let (entries, pager) = read(&mut model, u64::MAX, std::iter::empty());
        assert_eq!((entries.len(), pager.moved), (700, false));
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let change = prop_oneof![
            (0..2000u32).prop_map(Move::Push),
            (0..40u32).prop_map(Move::Take),
            (0..3000u32).prop_map(Move::Take),
            (0..10u32).prop_map(Move::GiveBack),
        ];
        proptest::collection::vec(change, 0..60)
    }

    proptest! {
        #[test]
        fn nothing_is_read_twice_and_nothing_that_stays_is_missed(len in 0..6000u32, moves in moves()) {
            let mut model = model_of(len);
            let at_first: BTreeSet<_> = model.list.iter().cloned().collect();
            let (entries, pager) = read(&mut model, u64::MAX, moves.into_iter());
            let distinct: BTreeSet<_> = entries.iter().cloned().collect();
            prop_assert_eq!(distinct.len(), entries.len());
            if pager.is_complete() {
                let missed = model.list.iter().filter(|entry| at_first.contains(*entry) && !distinct.contains(*entry));
                prop_assert_eq!(missed.count(), 0);
            }
        }
    }
}
