//! The runs of each process by time, and the traces that began inside of them, or right
//! after.

use std::collections::BTreeSet;
use std::time::Duration;

use super::orphans::{ByStart, by_start};
use crate::evidence::{Activity, Evidence, Process, SpanRef, StoredSpan};
use crate::model::{Map, Set, SpanKind, Timestamp};

/// What still goes on in the thread of a run publishes this soon after its end.
const RIGHT_AFTER: Duration = Duration::from_millis(100);

/// Roots with one process and one name, that all lie within runs of that process.
#[derive(Debug)]
pub struct RootsInRuns<'e> {
    /// By start.
    pub roots: Vec<SpanRef<'e>>,
    /// The run around the first of them.
    pub run: SpanRef<'e>,
    /// In how many runs they lie; overlapping runs count once.
    pub in_runs: usize,
    /// How many runs of the same tasks there are in the process.
    pub of_runs: usize,
    /// The fraction of the time in which the process ran any task: the probability that one
    /// root falls into a run by chance.
    pub busy: f64,
}

/// The groups of roots that lie within runs.
#[derive(Default, Debug)]
pub struct InRuns<'e> {
    /// Roots without a kind.
    pub work: Vec<RootsInRuns<'e>>,
    /// PRODUCER roots: they may begin right after the run too.
    pub publishes: Vec<RootsInRuns<'e>>,
}

/// Every group of such roots. A group with a root outside of any run is left out:
/// heartbeats and background threads work while tasks run, too.
pub(super) fn roots_in_runs(evidence: &Evidence) -> InRuns<'_> {
    // In most applications no process has both, and what the processes did is counted. To
    // look at each span instead was half of what populations cost.
    let has_both = |did: &Activity| did.consumers > 0 && (did.work_roots > 0 || did.producer_roots > 0);
    let may_have_some =
        evidence.processes.beyond > 0 || evidence.processes.iter().any(|(_, did)| has_both(did));
    // Of a sample it is not known what lies outside of runs.
    if !may_have_some || evidence.is_sample() {
        return InRuns::default();
    }
    let mut runs = Map::<&Process, ByStart<'_>>::default();
    let mut roots = Map::<(&Process, &str, IsPublish), Vec<SpanRef<'_>>>::default();
    for trace in evidence.spans.traces() {
        for span in &trace.spans {
            let found = SpanRef { trace, span };
            if span.kind == SpanKind::Consumer && !span.attributes().is_foreign {
                runs.entry(&span.process).or_default().spans.push(found);
            } else if span.parent.is_none() && may_belong_to_a_run(span) {
                let is_publish = span.kind == SpanKind::Producer;
                roots.entry((&span.process, &span.name, is_publish)).or_default().push(found);
            }
        }
    }
    roots.retain(|(process, ..), _| runs.contains_key(process));
    let workers: Set<_> = roots.keys().map(|(process, ..)| *process).collect();
    runs.retain(|process, _| workers.contains(process));
    runs.values_mut().for_each(ByStart::sort);
    let mut found = InRuns::default();
    for ((process, _, is_publish), roots) in roots {
        let Some(runs) = runs.get(process) else { continue };
        if is_publish {
            found.publishes.extend(RootsInRuns::of(roots, runs, RIGHT_AFTER));
        } else {
            found.work.extend(RootsInRuns::of(roots, runs, Duration::ZERO));
        }
    }
    let first = |group: &RootsInRuns<'_>| group.roots.first().map(|root| (root.span.start, root.key()));
    found.work.sort_by_key(first);
    found.publishes.sort_by_key(first);
    found
}

/// Whether the roots of a group are publishes.
type IsPublish = bool;

fn may_belong_to_a_run(span: &StoredSpan) -> bool {
    matches!(span.kind, SpanKind::Internal | SpanKind::Unspecified | SpanKind::Producer)
}

impl<'e> InRuns<'e> {
    /// The groups of a published root: that of its process first, and those of the same name
    /// in the other processes of its service, such as the children of one pool.
    pub fn of_publish(&self, root: SpanRef<'_>) -> Vec<&RootsInRuns<'e>> {
        let of = |group: &RootsInRuns<'e>| group.roots.first().map(|first| first.span);
        let is_like =
            |span: &StoredSpan| span.name == root.span.name && span.service() == root.span.service();
        let is_own =
            |group: &RootsInRuns<'e>| of(group).is_some_and(|span| span.process == root.span.process);
        let alike = self.publishes.iter().filter(|group| of(group).is_some_and(is_like));
        let mut alike: Vec<_> = alike.collect();
        alike.sort_by_key(|group| !is_own(group));
        if alike.first().is_some_and(|first| is_own(first)) { alike } else { Vec::new() }
    }
}

impl<'e> RootsInRuns<'e> {
    /// Nothing if a root lies neither within a run nor so long `after` its end. One that may
    /// begin after it may end whenever it likes.
    fn of(mut roots: Vec<SpanRef<'e>>, runs: &ByStart<'e>, after: Duration) -> Option<Self> {
        roots.sort_by_key(by_start);
        let mut around = Vec::with_capacity(roots.len());
        let mut detached = Vec::with_capacity(roots.len());
        for root in roots {
            let last = if after.is_zero() { root.span.end } else { root.span.start.before(after) };
            let run = runs.around(root.span.start, last)?;
            if !is_by_choice(root, run) {
                around.push(run);
                detached.push(root);
            }
        }
        let run = *around.first()?;
        let tasks: BTreeSet<_> = around.iter().map(|run| task_of(*run)).collect();
        let in_runs: BTreeSet<_> = around.iter().map(|run| run.key()).collect();
        Some(Self {
            run,
            in_runs: in_runs.len(),
            of_runs: runs.spans.iter().filter(|run| tasks.contains(task_of(**run))).count(),
            busy: runs.busy_share(after),
            roots: detached,
        })
    }
}

fn task_of(run: SpanRef<'_>) -> &str {
    run.span.attributes().task.as_deref().unwrap_or(&run.span.name)
}

/// Whether a root links to the run that it lies in, or to what that continues.
fn is_by_choice(root: SpanRef<'_>, run: SpanRef<'_>) -> bool {
    let of_run = run.span.links().iter().map(|link| (link.trace_id, link.span_id));
    let parent = run.span.parent.map(|parent| (run.trace.id, parent));
    let meant: BTreeSet<_> = of_run.chain(parent).chain([(run.trace.id, run.span.id)]).collect();
    root.span.links().iter().any(|link| meant.contains(&(link.trace_id, link.span_id)))
}

impl<'e> ByStart<'e> {
    /// How many runs that started before a span are looked at, the latest first.
    const LOOKED_AT: usize = 256;

    /// Of the spans that had started by `first` and not ended before `last`, the one that
    /// started last.
    pub(super) fn around(&self, first: Timestamp, last: Timestamp) -> Option<SpanRef<'e>> {
        let started = self.spans.partition_point(|found| found.span.start <= first);
        let latest = (0..started).rev().take(Self::LOOKED_AT);
        // No earlier span lasts long enough, if the latest end of all is too early.
        let mut open = latest.take_while(|place| self.latest[*place] >= last).map(|place| self.spans[place]);
        open.find(|found| found.span.end >= last)
    }

    /// The share of the time from the first start to the last end in which at
    /// least one was open, or had been so long before.
    fn busy_share(&self, after: Duration) -> f64 {
        let (Some(first), Some(last)) = (self.spans.first(), self.latest.last()) else { return 0.0 };
        let mut open = 0.0;
        let mut until = first.span.start;
        for found in &self.spans {
            let from = until.max(found.span.start);
            let end = found.span.end.after(after);
            if end > from {
                open += end.millis_since(from);
                until = end;
            }
        }
        let total = last.after(after).millis_since(first.span.start);
        if total > 0.0 { open / total } else { 1.0 }
    }
}
