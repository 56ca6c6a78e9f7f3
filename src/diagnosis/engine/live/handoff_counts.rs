//! Hand-offs counted for whoever monitors them.
//!
//! A count must never go down, and what is said of a hand-off may change. So each is counted
//! once, by what was said when it was judged first; what holds now is what
//! [`findings`](super::LiveJudge::findings) are for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnosis::engine::findings::Findings;
use crate::diagnosis::engine::judge::JudgedHandoff;
use crate::evidence::Tasks;
use crate::model::{Severity, Status};

/// The counts so far. They are bounded: so are the names of tasks, and verdicts and slugs are
/// those of the catalogue.
#[derive(Clone, Default, Debug)]
pub struct HandoffCounts {
    names: BTreeSet<Arc<str>>,
    outcomes: BTreeMap<HandoffOutcome, u64>,
    waits: BTreeMap<Arc<str>, Waits>,
}

/// What became of a hand-off.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct HandoffOutcome {
    /// The task's name; [`HandoffCounts::OTHER`] for names beyond the first hundred.
    pub task: Arc<str>,
    /// `whole`, `unproven`, `damaged` or `broken`.
    pub verdict: &'static str,
    /// The slug of the finding at warning or above that explains it; empty if there is none.
    pub slug: &'static str,
}

/// How long messages waited, from the end of the PRODUCER span to the start of the run.
#[derive(Clone, Copy, Default, Debug)]
pub struct Waits {
    /// How many waited at most as long as the bound, and longer than the one before it.
    pub by_bound: [u64; Self::BOUNDS.len()],
    /// How many there are, those beyond the last bound too.
    pub count: u64,
    pub seconds: f64,
}

impl Waits {
    /// In seconds: from a worker that stands by to a queue that nobody reads for an hour.
    pub const BOUNDS: [f64; 11] = [0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0];

    fn add(&mut self, seconds: f64) {
        // Two clocks that differ can make it negative.
        let seconds = seconds.max(0.0);
        if let Some(bound) = Self::BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.by_bound[bound] += 1;
        }
        self.count += 1;
        self.seconds += seconds;
    }
}

/// One hand-off as it was judged.
pub(super) struct Judgement {
    task_id: Box<str>,
    attempt: u32,
    task: Box<str>,
    verdict: &'static str,
    slug: &'static str,
    waited_ms: Option<f64>,
}

impl Judgement {
    pub(super) fn of(judged: &JudgedHandoff<'_>, findings: &Findings) -> Self {
        let id = judged.finding.as_deref().filter(|_| judged.is_faulty);
        let finding = id.and_then(|id| findings.iter().find(|finding| finding.id == id));
        let (verdict, slug) = match finding {
            Some(finding) if finding.severity == Severity::Error => (Status::Broken.label(), finding.slug),
            Some(finding) => (Status::Damaged.label(), finding.slug),
            None if judged.unproven.is_some() || judged.is_faulty => (Status::Unproven.label(), ""),
            None => ("whole", ""),
        };
        Self {
            task_id: judged.handoff.task_id.into(),
            attempt: judged.handoff.attempt,
            task: judged.handoff.task.into(),
            verdict,
            slug,
            waited_ms: judged.handoff.queue_wait_ms(),
        }
    }
}

impl HandoffCounts {
    /// How many names of tasks are told apart, those that came first. They come from outside.
    pub const TASKS: usize = 100;
    /// What the names beyond these are counted as.
    pub const OTHER: &str = "other";
    /// How many characters of a name are told apart.
    const NAME: usize = 200;

    /// Counts a hand-off that was not counted before.
    pub(super) fn count(&mut self, judgement: &Judgement, tasks: &mut Tasks) {
        let Some(task) = tasks.get_mut(&judgement.task_id) else { return };
        let is_new = task.counted.judged(judgement.attempt);
        let waited_ms = judgement.waited_ms.filter(|_| task.counted.waited(judgement.attempt));
        if !is_new && waited_ms.is_none() {
            return;
        }
        let name = self.name(&judgement.task);
        if let Some(millis) = waited_ms {
            self.waits.entry(Arc::clone(&name)).or_default().add(millis / 1000.0);
        }
        if is_new {
            let outcome = HandoffOutcome { task: name, verdict: judgement.verdict, slug: judgement.slug };
            *self.outcomes.entry(outcome).or_default() += 1;
        }
    }

    fn name(&mut self, task: &str) -> Arc<str> {
        let task = task.char_indices().nth(Self::NAME).map_or(task, |(end, _)| &task[..end]);
        if let Some(known) = self.names.get(task) {
            return Arc::clone(known);
        }
        if self.names.len() >= Self::TASKS {
            return Self::OTHER.into();
        }
        let name: Arc<str> = task.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    pub fn outcomes(&self) -> impl Iterator<Item = (&HandoffOutcome, u64)> {
        self.outcomes.iter().map(|(outcome, count)| (outcome, *count))
    }

    /// The waiting times of each task.
    pub fn waits(&self) -> impl Iterator<Item = (&str, &Waits)> {
        self.waits.iter().map(|(task, waits)| (&**task, waits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_bound_are_counted_as_one() {
        let mut counts = HandoffCounts::default();
        for number in 0..HandoffCounts::TASKS + 50 {
            counts.name(&format!("task {number}"));
        }
        assert_eq!((counts.names.len(), &*counts.name("task 7")), (HandoffCounts::TASKS, "task 7"));
        assert_eq!(&*counts.name("task 149"), HandoffCounts::OTHER);
        let long = "ö".repeat(HandoffCounts::NAME + 1);
        assert_eq!(&*HandoffCounts::default().name(&long), "ö".repeat(HandoffCounts::NAME));
    }

    #[test]
    fn a_wait_is_in_the_first_bound_that_holds_it() {
        let mut waits = Waits::default();
        [-3.0, 0.005, 0.3, 4000.0].into_iter().for_each(|seconds| waits.add(seconds));
        assert_eq!((waits.by_bound[0], waits.by_bound[3], waits.count), (2, 1, 4));
        assert_eq!(waits.by_bound.iter().sum::<u64>(), 3, "an hour is the last bound");
    }
}
