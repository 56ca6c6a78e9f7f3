use std::collections::{BTreeMap, BTreeSet};

use super::missing_in_process::{MissingInProcess, missing_by_process};
use super::unfinished_tasks::{TraceTasks, run_around};
use crate::diagnosis::advice::processor;
use crate::diagnosis::known::{SILENCE, SdkSetup};
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::{SpanRef, StoredSpan, Trace};
use crate::model::{Confidence, ParentOrigin, Severity, Side, SpanId, SpanKind, Station};

diagnosis! {
    /// ## What it means
    /// Spans arrived whose parent is a span of their own process that never
    /// ended: a span leaves its process when it ends, and this one did not. The
    /// process was killed in the middle of the task, or the code lost the span:
    /// a publish that failed leaves the instrumentor's span current, so that
    /// whatever the process does later hangs below it.
    ///
    /// ## What shows it
    /// The parent is missing and the flags say that it is local (where an older
    /// SDK sends none: the span is neither SERVER nor CONSUMER, and nothing
    /// handed its parent over). And it should have ended: the task's result is
    /// final, the run around it has ended, its process has been silent for long,
    /// or the evidence is a file, which is over. A long task exports its children
    /// well before itself, which is no fault: where a task of the trace may still
    /// run, nothing is said, and where its process is silent besides, it is a note.
    ///
    /// While evidence comes in, a span may be open for long by right. What goes on
    /// below it for minutes, one publish after the other, or has been quiet for
    /// minutes while its process went on, is possible at most; and at the end of
    /// the watch it is a note.
    ///
    /// ## How to fix it
    /// End each span that is started by hand (`with`, or `finally: span.end()`). A
    /// task's span has its name here by the task; any name will do. And flush where
    /// the process stops: a span that ended may have waited to be sent.
    ///
    /// Where a publish may fail, give it a context of its own, which ends with it,
    /// and with it whatever the publish left current.
    pub static PARENT_NOT_ENDED = {
        code: "TL503",
        slug: "parent-not-ended",
        station: Some(Station::Export),
        severity: Warning,
        summary: "spans arrived whose parent, a span of their own process, never ended",
        fixes: || {
            let by_code = SdkSetup::default();
            let ended = processor::ended(Some("process_order"), true, &by_code);
            let others = processor::ended(None, false, &by_code);
            let published = processor::publish_in_its_own_context(&by_code, Side::Producer);
            ended.into_iter().chain(others).chain(published).collect()
        },
        check: Trace(check),
    }
}

/// What shows that a missing parent should have come by now, the surest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Sign {
    /// A run around its children has ended.
    Run,
    /// The task is finished.
    Finished,
    /// Nothing more can come.
    Over,
    /// Its process has been silent for long.
    Silent,
    /// Its process has gone on for long.
    WentOn,
    /// It may be open, though the watch has ended.
    Open,
}

/// One missing parent, and what arrived below it.
struct Lost<'t> {
    sign: Sign,
    children: Vec<&'t StoredSpan>,
}

fn check(trace: &Trace, known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    let by_process = missing_by_process(trace, known);
    if by_process.is_empty() {
        return;
    }
    let tasks = TraceTasks::of(trace, known);
    for missing in by_process.into_values() {
        if missing.is_overflow(known) || tasks.were_ended(&missing) {
            continue;
        }
        let may_run = tasks.may_run(&missing);
        let finished = tasks.finished(&missing).filter(|_| !may_run);
        let Some(lost) = first_lost(trace, &missing, known, may_run, finished.is_some()) else { continue };
        let Some(child) = lost.children.iter().copied().min_by_key(|child| (child.start, child.id)) else {
            continue;
        };
        let mut occurrence = Occurrence::likely()
            .service(child.service())
            .quote(quote::span(SpanRef { trace, span: child }))
            .unless(
                slug::SAMPLER_IGNORES_PARENT,
                "a sampler may have dropped the parent and kept what is below it",
            )
            .needs("the worker's log: was the process killed, or stopped in the middle of the task?");
        if child.parent_origin == ParentOrigin::Unknown {
            occurrence = occurrence
                .unless(slug::PARENT_NOT_EXPORTED, "nothing says whether the parent is of the same process")
                .needs("flags of the spans: OTLP, from SDK 1.27 or later");
            // Spans that call or publish are hardly ever the first span of their process.
            let calls = |child: &&StoredSpan| matches!(child.kind, SpanKind::Client | SpanKind::Producer);
            if !lost.children.iter().any(calls) {
                occurrence.confidence = Confidence::Possible;
            }
        }
        occurrence = match lost.sign {
            Sign::Open => open(occurrence),
            _ if may_run => silent(occurrence),
            Sign::WentOn => Occurrence { confidence: Confidence::Possible, ..occurrence }
                .needs("a later look: a request or a script may rightly be open for long"),
            _ => occurrence,
        };
        let published = published(&lost.children);
        occurrence = if published.len() > 1 && lost.sign != Sign::Open && !may_run {
            occurrence
                .variant("publishes")
                .says("tasks were published below a span of their own process that never ended: most likely a failed publish left its span current")
                .quote(quote::fact(
                    format!("spans of {}", child.service()),
                    format!("{} publishes below one span that never came", published.len()),
                ))
                .mend(processor::publish_in_its_own_context(
                    &SdkSetup::of(&child.process),
                    known.services().side_of(child.service()),
                ))
        } else {
            let (task, is_run) = tasks.of_run(trace, &missing, &lost.children);
            occurrence.mend(processor::ended(task, is_run, &SdkSetup::of(&child.process)))
        };
        if lost.sign == Sign::Run
            && let Some(run) = run_around(trace, &lost.children)
        {
            occurrence = occurrence.quote(quote::span(SpanRef { trace, span: run }));
            occurrence.handoffs.extend(run.task_id().map(str::to_owned));
        } else if let Some((id, what)) = finished {
            occurrence.handoffs.insert(id.to_owned());
            occurrence = occurrence.quote(quote::fact(format!("celery-task-meta-{id}"), what));
        }
        found(occurrence);
    }
}

/// The only evidence is the silence of its process. A task that works for long without a
/// span is as silent as one that was killed.
fn silent(occurrence: Occurrence) -> Occurrence {
    Occurrence { confidence: Confidence::Possible, ..occurrence }
        .variant("silent")
        .severity(Severity::Note)
        .says("spans arrived whose parent has not ended, and their process has been silent for long: a long task, or one that was killed")
        .needs("a result backend, to see whether the task is done")
}

fn open(occurrence: Occurrence) -> Occurrence {
    Occurrence { confidence: Confidence::Possible, ..occurrence }
        .variant("open")
        .severity(Severity::Note)
        .says("spans arrived whose parent, a span of their own process, had not come when the watch ended: it may still be open")
        .needs("a longer watch: a span is sent when it ends")
}

/// Of the missing spans of a process, the one that most surely should have come.
fn first_lost<'t>(
    trace: &'t Trace,
    missing: &MissingInProcess<'t>,
    known: &Known<'_>,
    may_run: bool,
    is_finished: bool,
) -> Option<Lost<'t>> {
    let mut below = BTreeMap::<SpanId, Vec<&StoredSpan>>::new();
    for (parent, child) in &missing.children {
        below.entry(*parent).or_default().push(child);
    }
    let is_silent = known.silence().has_begun(missing.process, trace);
    let sign_of = |children: &[&StoredSpan]| match () {
        // If a task may still be running, a span around these may belong to it.
        () if may_run => is_silent.then_some(Sign::Silent),
        () if run_around(trace, children).is_some() => Some(Sign::Run),
        () if is_finished => Some(Sign::Finished),
        () if known.silence().is_final() => Some(Sign::Over),
        () if is_silent => Some(Sign::Silent),
        () if went_on(trace, children, known) => Some(Sign::WentOn),
        () => (!known.is_live).then_some(Sign::Open),
    };
    let lost = below.into_values().filter_map(|children| Some(Lost { sign: sign_of(&children)?, children }));
    // Of several that are equally sure, the first by id.
    lost.reduce(|first, next| if next.sign < first.sign { next } else { first })
}

/// Whether its process went on for longer than most spans are open: one publish below it
/// came minutes after another, or nothing came for minutes.
fn went_on(trace: &Trace, children: &[&StoredSpan], known: &Known<'_>) -> bool {
    let publishes = || children.iter().filter(|child| child.kind == SpanKind::Producer);
    let first = publishes().map(|child| child.start).min();
    let last = publishes().map(|child| child.start).max();
    let publishes_on = first.zip(last).is_some_and(|(first, last)| last.since(first) > SILENCE);
    let is_quiet = || known.evidence.since(trace.age.touched).is_some_and(|since| since > SILENCE);
    publishes_on || is_quiet()
}

/// The tasks that some of these spans published.
fn published<'t>(children: &[&'t StoredSpan]) -> BTreeSet<&'t str> {
    let producers = children.iter().filter(|child| child.kind == SpanKind::Producer);
    producers.filter_map(|child| child.task_id()).collect()
}
