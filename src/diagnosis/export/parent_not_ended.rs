use std::collections::BTreeMap;

use super::ending::{Tasks, run_around};
use super::gap::{is_burst, missing_local_parents};
use crate::diagnosis::advice::export;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{SpanRef, StoredSpan, Trace};
use crate::model::{Confidence, Severity, SpanId, Station};

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
    /// which is no fault: where a task of the trace may still run, nothing is
    /// said, and where its process is silent besides, it is a note.
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

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let gaps = missing_local_parents(trace);
    if gaps.is_empty() {
        return;
    }
    let tasks = Tasks::of(trace, known);
    for gap in gaps.into_values() {
        if is_burst(&gap.children) {
            continue;
        }
        let is_silent = known.has_fallen_silent(gap.process, trace);
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
            .unless(
                slug::SAMPLER_IGNORES_PARENT,
                "a sampler may have dropped the parent and kept what is below it",
            )
            .needs("the worker's log: was the process killed, or stopped in the middle of the task?")
            .fix(export::SPANS_END);
        if tasks.may_run {
            // Only its silence speaks: a task that works for long in one place,
            // without a span, is as silent as one that was killed.
            occurrence.confidence = Confidence::Possible;
            occurrence = occurrence
                .variant("silent")
                .severity(Severity::Note)
                .says("spans arrived whose parent has not ended, and their process has been silent for long: a long task, or one that was killed")
                .needs("a result backend, to see whether the task is done");
        }
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
