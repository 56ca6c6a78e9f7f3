use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{missing_local_parents, spans_dropped};
use crate::diagnosis::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{Fate, SpanKey, SpanRef, StoredSpan, Trace};
use crate::model::{MessageState, SpanId, SpanKind, Station, TaskStatus};

diagnosis! {
    /// ## What it means
    /// Spans arrived whose parent is a span of their own process that never
    /// ended: a span leaves its process when it ends, and this one did not. The
    /// process was killed in the middle of the task, or the code lost the span.
    ///
    /// ## What shows it
    /// The parent is missing, the flags say that it is local, and the task's
    /// result is final, the run around it has ended, or its process has been
    /// silent for long. A long task exports its children well before itself,
    /// which is no fault; where a task of the trace may still run, nothing is said.
    ///
    /// ## How to fix it
    /// End each span that is started by hand (`with`, or `finally: span.end()`),
    /// and flush where the process stops:
    ///
    /// ```python
    /// @worker_process_shutdown.connect(weak=False)
    /// def flush(**kwargs):
    ///     trace.get_tracer_provider().shutdown()
    /// ```
    pub static PARENT_NOT_ENDED = {
        code: "TL503",
        slug: "parent-not-ended",
        station: Some(Station::Export),
        severity: Warning,
        summary: "spans arrived whose parent, a span of their own process, never ended",
        check: Trace(check),
    }
}

/// A process that has sent nothing for so long will not end the span any more.
/// Longer than any batch delay, and than most tasks.
const SILENCE: Duration = Duration::from_mins(5);

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let gaps = missing_local_parents(trace);
    if gaps.is_empty() {
        return;
    }
    let tasks = Tasks::of(trace, known);
    for gap in gaps.into_values() {
        if spans_dropped::is_burst(&gap.children) {
            continue;
        }
        let last_sign =
            known.evidence.processes.of(gap.process).map(|activity| activity.last_end).unwrap_or_default();
        let is_silent = known.now.since(last_sign) > SILENCE;
        let mut below = BTreeMap::<SpanId, Vec<&StoredSpan>>::new();
        for (parent, child) in gap.children {
            below.entry(parent).or_default().push(child);
        }
        let lost = below.into_values().find_map(|children| {
            let run = run_around(trace, &children).filter(|_| !tasks.may_run);
            let finished = tasks.finished.filter(|_| !tasks.may_run && run.is_none());
            (is_silent || run.is_some() || finished.is_some()).then_some((children, run, finished))
        });
        let Some((children, run, finished)) = lost else { continue };
        let Some(child) = children.into_iter().min_by_key(|child| (child.start, child.id)) else { continue };
        let mut occurrence = Occurrence::likely()
            .service(child.service())
            .quote(quote::span(SpanRef { trace, span: child }))
            .needs("the worker's log: was the process killed, or stopped in the middle of the task?")
            .fix("with tracer.start_as_current_span(name):  # ends by itself, whatever happens")
            .fix("worker_process_shutdown.connect(lambda **kw: provider.shutdown(), weak=False)   # flush at exit");
        if let Some(run) = run {
            occurrence = occurrence.quote(quote::span(SpanRef { trace, span: run }));
            occurrence.handoffs.extend(run.task_id().map(str::to_owned));
        }
        if let Some((id, what)) = finished {
            occurrence.handoffs.insert(id.to_owned());
            occurrence = occurrence.quote(quote::fact(format!("celery-task-meta-{id}"), what));
        }
        found(occurrence);
    }
}

/// The run of the same process that began before the children and ended after
/// them: what lies between was to end before the run did. Children that go on
/// after the run are those of a thread, which may outlive it by right.
fn run_around<'t>(trace: &'t Trace, children: &[&StoredSpan]) -> Option<&'t StoredSpan> {
    let (first, last) =
        (children.iter().map(|child| child.start).min()?, children.iter().map(|child| child.end).max()?);
    let is_around = |span: &&StoredSpan| {
        span.kind == SpanKind::Consumer
            && children.iter().all(|child| child.process == span.process)
            && span.start <= first
            && last <= span.end
    };
    trace.spans.iter().filter(is_around).min_by_key(|span| (span.start, span.id))
}

/// The tasks of a trace of which no run arrived.
#[derive(Default)]
struct Tasks<'e> {
    /// One that is finished by its result, or was tried again: its id, and what
    /// says so.
    finished: Option<(&'e str, &'static str)>,
    /// Whether one of them may still run: then it may be the one whose parts
    /// arrived, and its own span is to come.
    may_run: bool,
}

impl<'e> Tasks<'e> {
    fn of(trace: &Trace, known: &Known<'e>) -> Self {
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
