//! What shows that spans of a process should have ended by now.

use std::collections::BTreeSet;

use super::missing_in_process::MissingInProcess;
use crate::diagnosis::rule::Known;
use crate::evidence::{Handoff, Presence, SpanKey, SpanRef, StoredSpan, Trace};
use crate::model::{MessageState, ParentOrigin, SpanId, SpanKind, TaskStatus, Timestamp};

/// The run of the same process that began before the children and ended after them: a span
/// in between should have ended before the run did. Children that outlast the run belong to
/// a thread, which may do so.
pub fn run_around<'t>(trace: &'t Trace, children: &[&StoredSpan]) -> Option<&'t StoredSpan> {
    around(trace, children).find(|span| span.kind == SpanKind::Consumer)
}

/// The first span of the same process in the trace, a run, a request or a root,
/// that began before the children and ended after them.
pub fn entry_around<'t>(trace: &'t Trace, children: &[&StoredSpan]) -> Option<&'t StoredSpan> {
    around(trace, children).find(|span| span.parent.is_none() || span.parent_origin == ParentOrigin::Remote)
}

/// Spans of the process of all these children that were open around them, by start.
fn around<'t>(trace: &'t Trace, children: &[&StoredSpan]) -> impl Iterator<Item = &'t StoredSpan> + use<'t> {
    let first = children.iter().map(|child| child.start).min();
    let last = children.iter().map(|child| child.end).max();
    let process = children.first().map(|child| &child.process);
    let is_of_one = children.iter().all(|child| Some(&child.process) == process);
    let is_around = |span: &&StoredSpan| {
        is_of_one
            && Some(&span.process) == process
            && first.is_some_and(|first| span.start <= first)
            && last.is_some_and(|last| last <= span.end)
    };
    let mut around: Vec<_> = trace.spans.iter().filter(is_around).collect();
    around.sort_by_key(|span| (span.start, span.id));
    around.into_iter()
}

/// The hand-offs of a trace whose run did not arrive.
pub struct TraceTasks<'e> {
    unrun: Vec<Unrun<'e>>,
}

/// One of them.
struct Unrun<'e> {
    task_id: &'e str,
    task: &'e str,
    /// What shows that it is finished; `None` if it may still be running.
    finished: Option<&'static str>,
    /// Whether it was ended from outside (its process was killed, or it was revoked), and
    /// another diagnosis says so.
    was_ended: bool,
    /// When it was last seen to wait: spans that began before then are not part of its run.
    waited: Timestamp,
    /// The missing spans below which it was published: none of them is its run.
    published_below: BTreeSet<SpanId>,
}

impl<'e> TraceTasks<'e> {
    pub fn of(trace: &Trace, known: &Known<'e>) -> Self {
        let evidence = known.evidence;
        // Each once: ten thousand spans may have one parent, and as many messages may carry
        // it.
        let senders: BTreeSet<_> =
            trace.spans.iter().flat_map(|span| [Some(span.id), span.parent]).flatten().collect();
        let contexts = senders.into_iter().map(|span_id| SpanKey { trace_id: trace.id, span_id });
        let by_message = contexts.flat_map(|context| evidence.tasks.carrying(context)).map(|id| &**id);
        let by_span = trace.spans.iter().filter_map(|span| span.task_id());
        let ids: BTreeSet<&str> = by_message.chain(by_span).collect();
        let handoffs =
            ids.into_iter().filter_map(|id| evidence.tasks.get(id)).flat_map(|task| task.handoffs(evidence));
        Self { unrun: handoffs.filter_map(|handoff| Unrun::of(&handoff, trace)).collect() }
    }

    /// Those whose run may be one of the missing spans, or above them.
    fn above<'t>(&'t self, gap: &'t MissingInProcess<'_>) -> impl Iterator<Item = &'t Unrun<'e>> {
        let missing = gap.parents();
        let last = gap.children.iter().map(|(_, child)| child.start).max().unwrap_or_default();
        self.unrun.iter().filter(move |task| last > task.waited && task.published_below.is_disjoint(&missing))
    }

    /// Whether one of them may still be running: then the parts may be its, and its own
    /// span is still to come.
    pub fn may_run(&self, gap: &MissingInProcess<'_>) -> bool {
        self.above(gap).any(|task| task.finished.is_none())
    }

    /// Whether one of them was ended from outside: then it is known why spans are missing.
    pub fn were_ended(&self, gap: &MissingInProcess<'_>) -> bool {
        self.above(gap).any(|task| task.was_ended)
    }

    /// The task whose run the children belong to, and whether the missing span above them
    /// is the run itself.
    pub fn of_run<'t>(
        &'t self,
        trace: &'t Trace,
        gap: &'t MissingInProcess<'_>,
        children: &[&StoredSpan],
    ) -> (Option<&'t str>, bool) {
        if let Some(run) = run_around(trace, children) {
            return (Some(run.attributes().task.as_deref().unwrap_or_default()), false);
        }
        let unrun = self.above(gap).next();
        (unrun.map(|task| task.task), unrun.is_some())
    }

    /// One that is finished according to its result, or was retried: its id, and what shows
    /// it.
    pub fn finished(&self, gap: &MissingInProcess<'_>) -> Option<(&'e str, &'static str)> {
        self.above(gap).find_map(|task| Some((task.task_id, task.finished?)))
    }
}

impl<'e> Unrun<'e> {
    fn of(handoff: &Handoff<'e>, trace: &Trace) -> Option<Self> {
        if !handoff.consumers.is_empty() {
            return None;
        }
        let waits =
            matches!(handoff.presence, Presence::Waiting(MessageState::Ready | MessageState::Scheduled));
        let waited = handoff.delivery.filter(|_| waits).map(|delivery| delivery.last().at);
        let status = handoff.result.map(|result| &result.status);
        let finished = match status {
            Some(TaskStatus::Success) => Some("SUCCESS"),
            Some(TaskStatus::Failure) => Some("FAILURE"),
            Some(TaskStatus::Revoked) => Some("REVOKED"),
            _ if handoff.was_retried => Some("the task was tried again"),
            _ => None,
        };
        let was_ended = handoff.was_killed() || status == Some(&TaskStatus::Revoked);
        let senders = handoff.contexts().chain(handoff.producer.map(SpanRef::key));
        let in_trace = senders.filter(|sender| sender.trace_id == trace.id);
        let missing = in_trace.filter_map(|sender| missing_above(trace, sender.span_id));
        Some(Self {
            task_id: handoff.task_id,
            task: handoff.task,
            finished,
            was_ended,
            waited: waited.unwrap_or_default(),
            published_below: missing.collect(),
        })
    }
}

/// The missing span that ends the way up from this one.
fn missing_above(trace: &Trace, span: SpanId) -> Option<SpanId> {
    let Some(span) = trace.get(span) else { return Some(span) };
    let top = trace.ancestors(span).last().unwrap_or(span);
    top.parent.filter(|parent| trace.get(*parent).is_none())
}
