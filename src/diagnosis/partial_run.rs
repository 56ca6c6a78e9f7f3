//! Parts of a run whose own span did not arrive: a worker that sent any of them is not
//! silent.

use std::time::Duration;

use super::known::Known;
use crate::evidence::{Handoff, Process, SpanRef, StoredSpan, Trace};
use crate::model::{ParentOrigin, SpanKind, TaskStatus};

/// How far the clocks of two machines may differ. The parts of a run begin after its task
/// was published, but their clock may be behind.
const SKEW: Duration = Duration::from_secs(5);

/// Whether the trace that was handed over has spans of another process: directly below the
/// context, made by hand and without a kind; below a span of their own process that has not
/// arrived; or below one that a worker made up.
pub fn arrived(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    let contexts = handoff.contexts().chain(handoff.producer.map(SpanRef::key));
    contexts.filter_map(|context| Some((context, known.evidence.spans.trace(context.trace_id)?))).any(
        |(context, trace)| {
            if !known.traces().missing(trace.id).fabricated.is_empty() {
                return true;
            }
            let sender = trace.get(context.span_id);
            trace.spans.iter().any(|span| {
                let Some(parent) = span.parent else { return false };
                let follows = parent == context.span_id && span.parent_origin != ParentOrigin::Local;
                // If the sender's spans are missing too, the span may be a remnant of the
                // sender: see `loose`.
                let is_the_workers = || sender.is_some() || ran_or_began_later(span, handoff, known);
                let is_loose = trace.get(parent).is_none() && is_local(span) && is_the_workers();
                if span.kind == SpanKind::Server {
                    return follows && sender.is_some_and(|sender| is_a_job(trace, span, sender));
                }
                (follows || is_loose) && may_be_the_workers(trace, span, sender, known)
            })
        },
    )
}

/// Whether a span's process is seen to run tasks, or the span began after the message was
/// published.
fn ran_or_began_later(span: &StoredSpan, handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    let activity = known.evidence.processes.of(&span.process);
    activity.is_some_and(|activity| activity.consumers > 0)
        || handoff.delivery.is_some_and(|delivery| span.start > delivery.first().at)
}

/// Whether a SERVER span directly below the sender's is a task's run, to which its author
/// gave that kind: it has no attribute of a request. A worker runs what it published
/// itself, too. Then the sender must be such a run, and its parent must be known to be
/// remote, unlike that of a part of a request.
fn is_a_job(trace: &Trace, span: &StoredSpan, sender: &StoredSpan) -> bool {
    let is_handed_over = span.process.differs_from(&sender.process)
        || (span.parent_origin == ParentOrigin::Remote && is_below_a_job(trace, sender));
    span.http_status.is_none() && is_handed_over && sender.start.since(span.start) <= SKEW
}

/// Whether the span is, or lies below, a SERVER span without any attribute of a request,
/// directly below a span of another process.
fn is_below_a_job(trace: &Trace, span: &StoredSpan) -> bool {
    std::iter::once(span).chain(trace.ancestors(span)).any(|above| {
        let sender = above.parent.and_then(|parent| trace.get(parent));
        above.kind == SpanKind::Server
            && above.http_status.is_none()
            && sender.is_some_and(|sender| above.process.differs_from(&sender.process))
    })
}

/// Whether a span's parent belongs to its own process. Python's exporters before 1.27 do
/// not say; with them that is mostly true of all but CONSUMER spans.
fn is_local(span: &StoredSpan) -> bool {
    match span.parent_origin {
        ParentOrigin::Local => true,
        ParentOrigin::Unknown => span.kind != SpanKind::Consumer,
        ParentOrigin::Remote => false,
    }
}

/// Whether a span may come from the process that ran the task: not from the one that
/// published it, nor from those above that, nor from one that serves.
fn may_be_the_workers(
    trace: &Trace,
    span: &StoredSpan,
    sender: Option<&StoredSpan>,
    known: &Known<'_>,
) -> bool {
    let Some(sender) = sender else { return !serves(&span.process, known) };
    if span.process == sender.process {
        // A worker runs what it published itself, and processes may be indistinguishable. A
        // span that began after the sender ended is hardly the sender's.
        let may_run = !span.process.is_identified() || !serves(&span.process, known);
        return may_run && span.start >= sender.end;
    }
    let is_above = trace.ancestors(sender).any(|above| above.process == span.process);
    !is_above && !serves(&span.process, known) && sender.start.since(span.start) <= SKEW
}

fn serves(process: &Process, known: &Known<'_>) -> bool {
    known.evidence.processes.of(process).is_some_and(|activity| activity.servers > 0)
}

/// A span below one of its own process that has not arrived, and that may be a remnant of
/// the run: in the trace of the context, if the sender is missing there; or, if the run did
/// not take the context up, in a trace without a root that nobody handed over, at the time
/// when the task ran.
pub fn loose<'e>(handoff: &Handoff<'_>, known: &Known<'e>) -> Option<SpanRef<'e>> {
    let traces = handoff.contexts().filter_map(|context| known.evidence.spans.trace(context.trace_id));
    let in_traces = traces.flat_map(|trace| trace.spans.iter().map(move |span| SpanRef { trace, span }));
    let is_below = |part: &SpanRef<'_>| {
        let is_missing = part.span.parent.is_some_and(|parent| part.trace.get(parent).is_none());
        let has_sender = handoff.contexts().any(|context| known.evidence.spans.get(context).is_some());
        is_missing && !has_sender && is_local(part.span) && !serves(&part.span.process, known)
    };
    let in_trace = in_traces.filter(is_below).min_by_key(|part| (part.span.start, part.span.id));
    in_trace.or_else(|| rootless(handoff, known))
}

fn rootless<'e>(handoff: &Handoff<'_>, known: &Known<'e>) -> Option<SpanRef<'e>> {
    let senders = handoff.contexts().filter_map(|context| known.evidence.spans.get(context));
    let sender = handoff.producer.or_else(|| senders.min_by_key(|sender| sender.span.start))?;
    let done = handoff.result.and_then(|result| result.done);
    known.traces().rootless().iter().copied().find(|part| {
        let is_later = sender.span.start.since(part.span.start) <= SKEW;
        let is_in_time = done.is_none_or(|done| part.span.end.since(done) <= SKEW);
        is_later
            && is_in_time
            && part.span.process != sender.span.process
            && !serves(&part.span.process, known)
    })
}

/// Whether a task whose message a worker took may still be running: it says so; or results are
/// kept for this task, and it has none; or nothing shows when a task is done, and it was
/// taken a moment ago.
pub fn may_go_on(handoff: &Handoff<'_>, known: &Known<'_>) -> bool {
    /// Most tasks are done by then.
    const MOST_TASKS: Duration = Duration::from_mins(1);
    if let Some(result) = handoff.result {
        return result.status == TaskStatus::Started;
    }
    if handoff.was_retried {
        return false;
    }
    let seen = handoff.delivery.map(|delivery| delivery.last().at);
    let taken = seen.or_else(|| handoff.producer.map(|producer| producer.span.end));
    let wait = if known.is_live { MOST_TASKS } else { known.evidence.settling_time() };
    known.flow().keeps_results_of(handoff.task) || taken.is_some_and(|taken| known.now.since(taken) < wait)
}
