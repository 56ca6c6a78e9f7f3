use std::time::Duration;

use super::{missing_local_parents, spans_dropped};
use crate::diagnosis::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanRef, StoredSpan, Trace};
use crate::model::{SpanKind, Station, TaskStatus};

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
    /// which is no fault.
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
    for gap in missing_local_parents(trace).into_values() {
        if spans_dropped::is_burst(&gap.children) {
            continue;
        }
        let Some((_, child)) = gap.children.first() else { continue };
        let last_sign =
            known.evidence.processes.of(gap.process).map(|activity| activity.last_end).unwrap_or_default();
        let is_silent = known.now.since(last_sign) > SILENCE;
        let finished = finished_task(trace, known);
        let run = run_around(trace, child);
        if !is_silent && finished.is_none() && run.is_none() {
            continue;
        }
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
        if let Some((id, status)) = finished {
            occurrence.handoffs.insert(id.to_owned());
            occurrence = occurrence.quote(quote::fact(format!("celery-task-meta-{id}"), status));
        }
        found(occurrence);
    }
}

/// The run of the same process that began before the child and ended after it:
/// what lies between the two was to end before the run did.
fn run_around<'t>(trace: &'t Trace, child: &StoredSpan) -> Option<&'t StoredSpan> {
    trace.spans.iter().find(|span| {
        span.kind == SpanKind::Consumer
            && span.process == child.process
            && span.start <= child.start
            && child.end <= span.end
    })
}

/// A task of this trace that is finished by its result, while no run of it
/// ever ended.
fn finished_task<'e>(trace: &Trace, known: &Known<'e>) -> Option<(&'e str, &'static str)> {
    let senders =
        trace.spans.iter().map(|span| span.id).chain(trace.spans.iter().filter_map(|span| span.parent));
    let contexts = senders.map(|span_id| crate::evidence::SpanKey { trace_id: trace.id, span_id });
    let by_message = contexts.flat_map(|context| known.evidence.tasks.carrying(context)).map(|id| &**id);
    let by_producer = trace.spans.iter().filter_map(|span| span.detail().message_id.as_deref());
    by_message.chain(by_producer).filter_map(|id| known.evidence.tasks.get(id)).find_map(|task| {
        let result = task.result.as_ref().filter(|_| task.consumers.is_empty())?;
        let status = match result.status {
            TaskStatus::Success => "SUCCESS",
            TaskStatus::Failure => "FAILURE",
            _ => return None,
        };
        Some((&*task.id, status))
    })
}
