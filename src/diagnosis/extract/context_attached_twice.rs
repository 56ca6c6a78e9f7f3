use crate::diagnosis::advice::extraction;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::evidence::{SpanKey, SpanRef, StoredSpan, Trace};
use crate::model::{Map, ParentOrigin, SpanId, SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// The message's context is taken up twice: by the run's own span, and once
    /// more inside the run, by code that extracts and attaches it. What the task
    /// does then hangs beside the run instead of below it, and the run's span
    /// looks empty.
    ///
    /// ## What shows it
    /// Spans of the run's process, within the run's time, whose parent is the very
    /// span that is the run's parent too, and came in from outside.
    ///
    /// ## How to fix it
    /// Take the second one out: a `context=` in the task, or a `task_prerun` hook that
    /// calls `context.attach(propagate.extract(…))`. Under the instrumentor the run's
    /// span is current already.
    ///
    /// ## What it is not
    /// A second CONSUMER span for the run (`duplicate-consumer-spans`).
    pub static CONTEXT_ATTACHED_TWICE = {
        code: "TL309",
        slug: "context-attached-twice",
        station: Some(Station::Extract),
        severity: Warning,
        summary: "the message's context is taken up a second time inside the run: what the task does hangs beside the run instead of below it",
        fixes: || extraction::attach_once("charge", &SdkSetup::default()),
        check: Trace(check),
    }
}

/// How many runs of one context are compared with one span, the latest first.
const RUNS: usize = 32;

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let mut runs = Map::<SpanId, Vec<&StoredSpan>>::default();
    let handed_over = trace.spans.iter().filter(|span| {
        span.kind == SpanKind::Consumer
            && span.parent_origin != ParentOrigin::Local
            && !span.attributes().is_foreign
    });
    for run in handed_over {
        if let Some(parent) = run.parent {
            runs.entry(parent).or_default().push(run);
        }
    }
    if runs.is_empty() {
        return;
    }
    runs.values_mut().for_each(|runs| runs.sort_by_key(|run| (run.start, run.id)));
    let mut beside = Map::<SpanId, Vec<&StoredSpan>>::default();
    for span in &trace.spans {
        let Some(runs) = span.parent.and_then(|parent| runs.get(&parent)) else { continue };
        if let Some(run) = run_around(span, runs).filter(|_| took_it_up(trace, span, runs, known)) {
            beside.entry(run.id).or_default().push(span);
        }
    }
    for run in runs.into_values().flatten() {
        let Some(spans) = beside.get(&run.id) else { continue };
        let Some(first) = spans.iter().min_by_key(|span| (span.start, span.id)) else { continue };
        let mut occurrence =
            if run.process.is_identified() { Occurrence::certain() } else { Occurrence::likely() };
        if !run.process.is_identified() {
            occurrence = occurrence
                .needs("a `service.instance.id` (SDK 1.40 or later), to tell the worker's processes apart");
        }
        occurrence = occurrence
            .service(run.service())
            .quote(quote::span(SpanRef { trace, span: run }))
            .quote(quote::span(SpanRef { trace, span: first }))
            .mend(extraction::attach_once(&first.name, &SdkSetup::of(&first.process)));
        occurrence.tasks.extend(run.attributes().task.as_deref().map(str::to_owned));
        occurrence.handoffs.extend(run.task_id().map(str::to_owned));
        found(occurrence);
    }
}

/// The run of the span's process within whose time it lies. They are sorted by start.
fn run_around<'t>(span: &StoredSpan, runs: &[&'t StoredSpan]) -> Option<&'t StoredSpan> {
    let started = runs.partition_point(|run| run.start <= span.start);
    let latest = runs[..started].iter().rev().take(RUNS);
    latest.copied().find(|run| run.id != span.id && run.process == span.process && span.end <= run.end)
}

/// Whether the span was started from an incoming context, as the run was: it is no run or
/// request itself, no part of the sender, and not the run of another message with the same
/// context.
fn took_it_up(trace: &Trace, span: &StoredSpan, runs: &[&StoredSpan], known: &Known<'_>) -> bool {
    if matches!(span.kind, SpanKind::Consumer | SpanKind::Server) {
        return false;
    }
    let is_of_the_sender = || {
        let sender = span.parent.and_then(|parent| trace.get(parent));
        // With an SDK that sends no flags, a span that began before the sender's span ended
        // may be a part of the sender, if the two cannot be told apart.
        sender.is_some_and(|sender| sender.process == span.process && span.start <= sender.end)
    };
    let came_in = match span.parent_origin {
        ParentOrigin::Remote => true,
        ParentOrigin::Unknown => !is_of_the_sender(),
        ParentOrigin::Local => false,
    };
    let has_other_runs = || {
        let Some(span_id) = span.parent else { return false };
        known.evidence.tasks.carrying(SpanKey { trace_id: trace.id, span_id }).len() > runs.len()
    };
    came_in && !has_other_runs()
}
