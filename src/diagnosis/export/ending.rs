//! What shows that spans of a process should have ended by now.

use std::collections::BTreeSet;

use crate::diagnosis::rule::Known;
use crate::evidence::{Fate, SpanKey, StoredSpan, Trace};
use crate::model::{MessageState, ParentOrigin, SpanKind, TaskStatus};

/// The run of the same process that began before the children and ended after
/// them: what lies between was to end before the run did. Children that go on
/// after the run are those of a thread, which may outlive it by right.
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

/// The tasks of a trace of which no run arrived.
#[derive(Default)]
pub struct Tasks<'e> {
    /// One that is finished by its result, or was tried again: its id, and what
    /// says so.
    pub finished: Option<(&'e str, &'static str)>,
    /// Whether one of them may still run: then it may be the one whose parts
    /// arrived, and its own span is to come.
    pub may_run: bool,
}

impl<'e> Tasks<'e> {
    pub fn of(trace: &Trace, known: &Known<'e>) -> Self {
        let evidence = known.evidence;
        // Each once: ten thousand spans may have one parent, which as many messages carry.
        let senders: BTreeSet<_> =
            trace.spans.iter().flat_map(|span| [Some(span.id), span.parent]).flatten().collect();
        let contexts = senders.into_iter().map(|span_id| SpanKey { trace_id: trace.id, span_id });
        let by_message = contexts.flat_map(|context| evidence.tasks.carrying(context)).map(|id| &**id);
        let by_span = trace.spans.iter().filter_map(|span| span.task_id());
        let ids: BTreeSet<&str> = by_message.chain(by_span).collect();
        let mut tasks = Self::default();
        for handoff in
            ids.into_iter().filter_map(|id| evidence.tasks.get(id)).flat_map(|task| task.handoffs(evidence))
        {
            let waits = matches!(handoff.fate, Fate::Waiting(MessageState::Ready | MessageState::Scheduled));
            if !handoff.consumers.is_empty() || waits {
                continue;
            }
            let what = match handoff.result.map(|result| &result.status) {
                // Whoever killed the process is named by another diagnosis.
                Some(TaskStatus::Failure) if handoff.was_killed() => continue,
                Some(TaskStatus::Success) => "SUCCESS",
                Some(TaskStatus::Failure) => "FAILURE",
                Some(TaskStatus::Revoked) => continue,
                _ if handoff.was_retried => "the task was tried again",
                _ => {
                    tasks.may_run = true;
                    continue;
                }
            };
            tasks.finished.get_or_insert((handoff.task_id, what));
        }
        tasks
    }
}
