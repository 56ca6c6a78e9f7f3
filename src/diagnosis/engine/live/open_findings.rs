//! The open findings: which traces and tasks show each, and whether it was reported. A
//! finding that nothing shows any more is taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::ops::Bound;
use std::sync::Arc;

use rustc_hash::FxHasher;

use crate::evidence::Unit;
use crate::model::{Finding, Set};

/// All findings that hold at the moment.
#[derive(Default, Debug)]
pub struct OpenFindings {
    known: BTreeMap<Arc<str>, Said>,
    /// Units with findings, or whose run or parent is still to come.
    restless: BTreeMap<Unit, BTreeSet<Arc<str>>>,
    /// The findings of populations.
    of_all: BTreeSet<Arc<str>>,
    /// The restless unit that was judged last.
    cursor: Option<Unit>,
    /// How many findings may be open at a time.
    most: usize,
    /// Findings that found no room, by a hash of their ids. As many are kept as there may
    /// be open findings.
    not_kept: Set<u64>,
}

/// One cause, by its finding's id.
#[derive(Debug)]
struct Said {
    finding: Finding,
    /// How many units show it. All populations count as one.
    of: u64,
    /// Whether evidence that shows it was let go. Then it cannot be taken back.
    is_past: bool,
    is_told: bool,
}

impl OpenFindings {
    /// About what a finding takes.
    const FINDING: usize = 8 << 10;

    /// For findings that take about this many bytes together.
    pub fn new(bytes: usize) -> Self {
        Self { most: (bytes / Self::FINDING).max(Self::FEWEST), ..Self::default() }
    }

    /// How many findings may be open however little memory there is.
    const FEWEST: usize = 64;

    /// How many findings found no room, as far as they can be told apart.
    pub fn not_kept(&self) -> u64 {
        self.not_kept.len() as u64
    }

    /// Takes the latest wording of a finding.
    pub fn word(&mut self, finding: &Finding) {
        let has_room = self.known.len() < self.most;
        match self.known.get_mut(finding.id.as_str()) {
            Some(said) => said.finding.clone_from(finding),
            None if !has_room => {
                if self.not_kept.len() < self.most {
                    self.not_kept.insert(BuildHasherDefault::<FxHasher>::default().hash_one(&finding.id));
                }
            }
            None => {
                let said = Said { finding: finding.clone(), of: 0, is_past: false, is_told: false };
                self.known.insert(finding.id.as_str().into(), said);
            }
        }
    }

    fn shared(&self, ids: impl IntoIterator<Item = String>) -> BTreeSet<Arc<str>> {
        let shared = |id: String| self.known.get_key_value(id.as_str()).map(|(id, _)| Arc::clone(id));
        ids.into_iter().filter_map(shared).collect()
    }

    fn count(&mut self, before: &BTreeSet<Arc<str>>, now: &BTreeSet<Arc<str>>) {
        for id in now.difference(before) {
            self.known.get_mut(id).into_iter().for_each(|said| said.of += 1);
        }
        for id in before.difference(now) {
            self.known.get_mut(id).into_iter().for_each(|said| said.of -= 1);
        }
    }

    /// Sets the findings of a unit. A unit that is `open` is judged again even if it has
    /// none.
    pub fn say(&mut self, unit: Unit, ids: BTreeSet<String>, open: bool) {
        let now = self.shared(ids);
        let before = self.restless.remove(&unit).unwrap_or_default();
        self.count(&before, &now);
        if open || !now.is_empty() {
            self.restless.insert(unit, now);
        }
    }

    /// Sets the findings of the populations.
    pub fn say_of_all(&mut self, ids: impl IntoIterator<Item = String>) {
        let now = self.shared(ids);
        let before = std::mem::take(&mut self.of_all);
        self.count(&before, &now);
        self.of_all = now;
    }

    /// Notes that a unit was let go. Its findings stay.
    pub fn let_go(&mut self, unit: &Unit) {
        for id in self.restless.remove(unit).unwrap_or_default() {
            if let Some(said) = self.known.get_mut(&id) {
                said.of -= 1;
                said.is_past = true;
            }
        }
    }

    /// The ids of the findings that a unit has.
    pub fn of_unit(&self, unit: &Unit) -> BTreeSet<String> {
        self.restless.get(unit).into_iter().flatten().map(ToString::to_string).collect()
    }

    /// Whether a unit has findings.
    pub fn speaks_of(&self, unit: &Unit) -> bool {
        self.restless.get(unit).is_some_and(|ids| !ids.is_empty())
    }

    /// Whether these are exactly the findings that a unit has, and not none.
    pub fn says(&self, unit: &Unit, ids: &BTreeSet<String>) -> bool {
        let said = self.restless.get(unit);
        !ids.is_empty() && ids.iter().all(|id| said.is_some_and(|said| said.contains(id.as_str())))
    }

    /// Whether a finding was reported and still holds.
    pub fn was_told(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|said| said.is_told)
    }

    /// Whether a finding covers the hand-offs of this task.
    pub fn explains(&self, task: &str) -> bool {
        self.of_handoffs().any(|finding| finding.tasks.contains(task))
    }

    /// Whether a finding covers the hand-offs of any task that has a name.
    pub fn explains_any(&self) -> bool {
        self.of_handoffs().any(|finding| !finding.tasks.is_empty())
    }

    /// What findings of hand-offs explain: a root that they do not explain has none.
    fn of_handoffs(&self) -> impl Iterator<Item = &Finding> {
        let holds = self.known.values().filter(|said| said.of > 0 || said.is_past);
        holds.map(|said| &said.finding).filter(|finding| !finding.handoffs.is_empty())
    }

    /// Some of the restless units, in rotation.
    pub fn restless(&mut self, most: usize) -> Vec<Unit> {
        let from = self.cursor.take().map_or(Bound::Unbounded, Bound::Excluded);
        let units: Vec<_> =
            self.restless.range((from, Bound::Unbounded)).map(|(unit, _)| unit.clone()).take(most).collect();
        // Past the last one it begins anew.
        self.cursor = units.last().filter(|_| units.len() == most).cloned();
        units
    }

    /// All restless units.
    pub fn all_restless(&self) -> impl Iterator<Item = &Unit> {
        self.restless.keys()
    }

    /// The events: the findings that are new, and those that no longer hold.
    pub fn news(&mut self) -> (Vec<Finding>, Vec<Finding>) {
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        self.known.retain(|_, said| {
            let holds = said.of > 0 || said.is_past;
            if holds && !said.is_told {
                said.is_told = true;
                new.push(said.finding.clone());
            }
            if !holds && said.is_told {
                gone.push(said.finding.clone());
            }
            holds
        });
        new.sort_by(|one, other| one.rank().cmp(&other.rank()));
        (new, gone)
    }

    /// Whether anything without findings still waits for a run or a parent.
    pub fn is_open(&self) -> bool {
        self.restless.values().any(BTreeSet::is_empty)
    }

    /// The open findings that were reported.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.known.values().filter(|said| said.is_told).map(|said| &said.finding)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        /// A unit with the ids of one or two findings, in a tree that is half full.
        const RESTLESS: usize = 2 * (size_of::<(Unit, BTreeSet<Arc<str>>)>() + 192);
        self.restless.len() * RESTLESS + self.known.len() * Self::FINDING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::engine::findings::Findings;
    use crate::diagnosis::extract::PROPAGATOR_MISMATCH;
    use crate::diagnosis::occurrence::Occurrence;

    fn finding() -> Finding {
        let mut findings = Findings::default();
        findings.add(&PROPAGATOR_MISMATCH, Occurrence::certain());
        findings.ranked().remove(0)
    }

    fn unit(name: &str) -> Unit {
        Unit::Task(name.into())
    }

    #[test]
    fn a_cause_is_told_once_and_taken_back_when_nothing_shows_it() {
        let mut open = OpenFindings::new(1 << 20);
        let finding = finding();
        let ids = || BTreeSet::from([finding.id.clone()]);
        open.word(&finding);
        open.say(unit("one"), ids(), false);
        open.say(unit("two"), ids(), false);
        let (new, gone) = open.news();
        assert_eq!((new.len(), gone.len()), (1, 0));
        open.say(unit("one"), BTreeSet::new(), false);
        assert_eq!(open.news(), (vec![], vec![]), "one of two still shows it");
        open.say(unit("two"), BTreeSet::new(), false);
        let (new, gone) = open.news();
        assert_eq!((new.len(), gone.len()), (0, 1));
        assert!(open.restless(10).is_empty());
    }

    #[test]
    fn what_was_let_go_cannot_be_taken_back() {
        let mut open = OpenFindings::new(1 << 20);
        let finding = finding();
        open.word(&finding);
        open.say(unit("one"), BTreeSet::from([finding.id.clone()]), false);
        assert_eq!(open.news().0.len(), 1);
        open.let_go(&unit("one"));
        assert_eq!(open.news(), (vec![], vec![]));
        assert!(open.was_told(&finding.id));
    }

    #[test]
    fn restless_units_take_turns() {
        let mut open = OpenFindings::new(1 << 20);
        ["a", "b", "c"].into_iter().for_each(|name| open.say(unit(name), BTreeSet::new(), true));
        assert_eq!(open.restless(2), [unit("a"), unit("b")]);
        assert_eq!(open.restless(2), [unit("c")]);
        assert_eq!(open.restless(2), [unit("a"), unit("b")]);
    }
}
