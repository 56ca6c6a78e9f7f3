//! Which of the runs made by hand that continue one context are a task's own.
//!
//! A request that fans out by hand gives one context to several messages, and
//! their runs carry no id. They are parted by the names of their tasks; of several
//! tasks of one name none is known to be whose. Each gets one, in the order
//! of start, so that no run is counted twice and none is called missing; what
//! that run shows holds for one of them, not for this one.

use super::task_names::TaskNames;
use crate::evidence::Evidence;
use crate::evidence::spans::{SpanKey, SpanRef};
use crate::evidence::tasks::{ContextKey, Continuation, Task};
use crate::model::SpanKind;

/// The runs of one context that may be a task's.
#[derive(Default)]
pub(super) struct Candidates {
    pub runs: Vec<SpanKey>,
    /// Whether each of them may as well be another task's.
    pub is_ambiguous: bool,
}

/// Up to so many runs and tasks of one context are looked at for each of its
/// tasks: more would take the square of their number.
const PARTED_BY_NAME: usize = 256;

impl Evidence {
    /// The hand-made runs of a context that may be the task's.
    pub(super) fn continuations_for(&self, context: ContextKey, task: &Task) -> Candidates {
        let all = self.tasks.continuations(context);
        let tasks = self.tasks.carrying(context);
        if tasks.len() < 2 {
            let runs = self.runs(all, task).map(SpanRef::key).collect();
            return Candidates { runs, is_ambiguous: false };
        }
        let Ok(place) = tasks.binary_search(&task.id) else { return Candidates::default() };
        if tasks.len() > PARTED_BY_NAME || all.len() > PARTED_BY_NAME {
            let runs: Vec<_> = self.runs(share(all, place, tasks.len()), task).collect();
            return ambiguous(&runs, 0, 1);
        }
        let name = task.name(self);
        let names: Vec<&str> =
            tasks.iter().map(|id| self.tasks.get(id).map_or("", |other| other.name(self))).collect();
        let spoken = TaskNames::of(names.iter().copied());
        let of_whom = |run: &SpanRef<'_>| {
            let said = run.span.detail().task.as_deref();
            let said = said.and_then(|said| names.iter().copied().find(|name| *name == said));
            said.or_else(|| spoken.named_by(&run.span.name))
        };
        let (named, others): (Vec<_>, Vec<_>) =
            self.runs(all, task).partition(|run| of_whom(run) == Some(name));
        if named.is_empty() {
            // Spans that bear nobody's name may be of any of them.
            let nameless: Vec<_> = others.into_iter().filter(|run| of_whom(run).is_none()).collect();
            return ambiguous(&nameless, place, tasks.len());
        }
        let same = |until: usize| names[..until].iter().filter(|other| **other == name).count();
        match same(names.len()) {
            1 => Candidates { runs: named.iter().map(|run| run.key()).collect(), is_ambiguous: false },
            count => ambiguous(&named, same(place), count),
        }
    }

    /// Of spans that continue a context those that may be the task's run: not
    /// one that is another task's or lies in its run, nor one without a kind
    /// where its process serves requests.
    fn runs<'e>(
        &'e self,
        spans: impl IntoIterator<Item = &'e Continuation>,
        task: &Task,
    ) -> impl Iterator<Item = SpanRef<'e>> {
        let found = spans.into_iter().filter_map(|span| self.spans.get(span.key()));
        found.filter(move |run| {
            let is_run = run.span.kind == SpanKind::Consumer
                || self.processes.of(&run.span.process).is_none_or(|activity| activity.servers == 0)
                || is_linked_root_of_a_shared_name(run);
            is_run && !self.is_of_another(run, task)
        })
    }
}

/// Whether it is a root with a link, of processes that nothing tells apart: that
/// one of them serves requests says nothing of this one.
fn is_linked_root_of_a_shared_name(run: &SpanRef<'_>) -> bool {
    run.span.parent.is_none() && !run.span.detail().links.is_empty() && !run.span.process.is_identified()
}

/// One run for each attempt, for the one at `place` of so many tasks; where there
/// is not one for each, some share a first attempt. Whether one of them was tried
/// again is known only of as many as were.
fn ambiguous(runs: &[SpanRef<'_>], place: usize, tasks: usize) -> Candidates {
    let mut attempts = std::collections::BTreeMap::<u32, Vec<SpanKey>>::new();
    for run in runs {
        attempts.entry(run.span.detail().retries.unwrap_or(0)).or_default().push(run.key());
    }
    let mut ours: Vec<SpanKey> = Vec::new();
    for (attempt, runs) in attempts {
        let place = if attempt == 0 && runs.len() < tasks { place % runs.len() } else { place };
        ours.extend(runs.get(place));
    }
    Candidates { runs: ours, is_ambiguous: true }
}

/// Of what is parted among so many, the share of the one at the place `ours`:
/// every so-manieth; where there is not one for each, some share one.
fn share<T>(all: &[T], ours: usize, tasks: usize) -> impl Iterator<Item = &T> {
    let is_short = all.len() < tasks;
    let (first, step) = if is_short { (ours % all.len().max(1), all.len().max(1)) } else { (ours, tasks) };
    all.iter().skip(first).step_by(step)
}
