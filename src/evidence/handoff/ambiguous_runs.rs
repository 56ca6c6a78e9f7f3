//! Which of several hand-made runs that continue one context belongs to which task.
//!
//! A request that fans out by hand gives one context to several messages, and their runs
//! carry no id. The names of the tasks tell them apart; between several tasks of one name
//! nothing does. Each task gets one of the runs, in the order of start, so that no run is
//! counted twice and none is called missing. What that run shows is true of one of the
//! tasks, but maybe not of this one.

use super::task_names::TaskNames;
use crate::evidence::Evidence;
use crate::evidence::spans::{SpanKey, SpanRef};
use crate::evidence::tasks::{ContextKey, Continuation, Task};
use crate::model::SpanKind;

/// The runs of one context that may be a task's.
#[derive(Default)]
pub(super) struct Candidates {
    pub runs: Vec<SpanKey>,
    /// Whether each of them may just as well belong to another task.
    pub is_ambiguous: bool,
}

/// At most this many runs and tasks of one context are compared for each of its tasks: the
/// cost grows with the square of their number.
const PARTED_BY_NAME: usize = 256;

impl Evidence {
    /// The hand-made runs of a context that may belong to the task.
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
            let said = run.span.attributes().task.as_deref();
            let said = said.and_then(|said| names.iter().copied().find(|name| *name == said));
            said.or_else(|| spoken.named_by(&run.span.name))
        };
        let (named, others): (Vec<_>, Vec<_>) =
            self.runs(all, task).partition(|run| of_whom(run) == Some(name));
        if named.is_empty() {
            // A span that names no task may belong to any of them.
            let nameless: Vec<_> = others.into_iter().filter(|run| of_whom(run).is_none()).collect();
            return ambiguous(&nameless, place, tasks.len());
        }
        let same = |until: usize| names[..until].iter().filter(|other| **other == name).count();
        match same(names.len()) {
            1 => Candidates { runs: named.iter().map(|run| run.key()).collect(), is_ambiguous: false },
            count => ambiguous(&named, same(place), count),
        }
    }

    /// Of the spans that continue a context, those that may be the task's run. Not a run of
    /// another task or a span inside one, nor a span without a kind from a process that
    /// serves requests.
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

/// Whether it is a root with a link, from one of several processes that cannot be told
/// apart. That one of them serves requests says nothing about this one.
fn is_linked_root_of_a_shared_name(run: &SpanRef<'_>) -> bool {
    run.span.parent.is_none() && !run.span.links().is_empty() && !run.span.process.is_identified()
}

/// One run for each attempt, for task number `place` of so many. If there are too few, some
/// tasks share a first attempt. Whether a task was tried again is known only for as many as
/// were.
fn ambiguous(runs: &[SpanRef<'_>], place: usize, tasks: usize) -> Candidates {
    let mut attempts = std::collections::BTreeMap::<u32, Vec<SpanKey>>::new();
    for run in runs {
        attempts.entry(run.span.attributes().retries.unwrap_or(0)).or_default().push(run.key());
    }
    let mut ours: Vec<SpanKey> = Vec::new();
    for (attempt, runs) in attempts {
        let place = if attempt == 0 && runs.len() < tasks { place % runs.len() } else { place };
        ours.extend(runs.get(place));
    }
    Candidates { runs: ours, is_ambiguous: true }
}

/// The share of task number `ours` where so many tasks share these: every n-th. If there
/// are too few, some tasks share one.
fn share<T>(all: &[T], ours: usize, tasks: usize) -> impl Iterator<Item = &T> {
    let is_short = all.len() < tasks;
    let (first, step) = if is_short { (ours % all.len().max(1), all.len().max(1)) } else { (ours, tasks) };
    all.iter().skip(first).step_by(step)
}
