//! The gap between the two sides of a hand-off, and the text there.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::model::{HandoffReport, Report, SpanId, SpanReport, TraceId, TraceReport};
use crate::report::human::short_ids::ShortIds;
use crate::report::human::style::Stylize;
use crate::report::text::duration;

/// The traces of both sides of a hand-off, if they are listed.
pub struct Sides<'r> {
    pub sender: Option<&'r TraceReport>,
    /// The spans of its runs, with their traces.
    pub runs: Vec<(&'r TraceReport, SpanId)>,
}

impl<'r> Sides<'r> {
    pub fn of(handoff: &HandoffReport, report: &'r Report) -> Self {
        let runs = handoff.consumers.iter().filter_map(|(trace, span)| Some((find(report, *trace)?, *span)));
        let runs: Vec<_> = runs.collect();
        // The publisher is there even if only its PRODUCER span is missing, or if the run
        // is below it.
        let named = handoff.producer.and_then(|(trace, _)| find(report, trace));
        let above = || runs.iter().find(|(trace, run)| shows_sender(trace, *run)).map(|(trace, _)| *trace);
        let sender = named.or_else(above);
        Self { sender, runs }
    }

    /// The traces of the runs that are not the sender's, each once.
    pub fn apart(&self) -> Vec<&'r TraceReport> {
        let mut seen: BTreeSet<TraceId> = self.sender.iter().map(|sender| sender.trace_id).collect();
        self.runs.iter().map(|(trace, _)| *trace).filter(|trace| seen.insert(trace.trace_id)).collect()
    }

    /// All traces, the sender's first.
    pub fn all(&self) -> Vec<&'r TraceReport> {
        self.sender.into_iter().chain(self.apart()).collect()
    }

    /// Whether the run is a root by design: it, or a span below it, links to the sender's
    /// trace.
    pub fn are_linked(&self) -> bool {
        let Some((sender, (run, _))) = self.sender.zip(self.runs.first()) else { return false };
        let mut links = run.spans.iter().flat_map(|span| &span.links);
        run.trace_id != sender.trace_id && links.any(|(trace, _)| *trace == sender.trace_id)
    }
}

/// A trace, if it is listed.
pub fn find(report: &Report, id: TraceId) -> Option<&TraceReport> {
    report.traces.iter().find(|trace| trace.trace_id == id)
}

/// Whether a run's trace shows who published it: its parent is there, or a request or a
/// publish before it.
fn shows_sender(trace: &TraceReport, run: SpanId) -> bool {
    let start = trace.spans.iter().find(|span| span.span_id == run).map(|span| span.start);
    let came_before = |span: &SpanReport| {
        matches!(span.kind, "server" | "producer") && start.is_some_and(|start| span.start <= start)
    };
    has_parent(trace, run) || trace.spans.iter().any(came_before)
}

fn has_parent(trace: &TraceReport, run: SpanId) -> bool {
    let parent = trace.spans.iter().find(|span| span.span_id == run).and_then(|span| span.parent_id);
    parent.is_some_and(|parent| trace.spans.iter().any(|span| span.span_id == parent))
}

/// Writes the gap, if the two sides do not meet.
pub fn spot(
    handoff: &HandoffReport,
    sides: &Sides<'_>,
    ids: &ShortIds,
    out: &mut dyn Write,
) -> io::Result<()> {
    if sides.are_linked() {
        return link(handoff, out);
    }
    let text = match (sides.sender, sides.runs.first()) {
        (Some(sender), Some((trace, run))) if trace.trace_id == sender.trace_id => {
            if !trace.complete || has_parent(trace, *run) {
                return Ok(());
            }
            "the span that published it was not seen".to_owned()
        }
        (None, None) => return Ok(()),
        (Some(_), Some(_)) => "the worker started a trace of its own: an orphaned root".to_owned(),
        (Some(sender), None) => match handoff.consumers.first() {
            Some((run, _)) => format!("the run is in trace {}, which is not listed", ids.cut(run)),
            None if holds_what_ran(sender, handoff) => {
                "the span of the run was not seen: only what hangs below it was".to_owned()
            }
            None => "no span of the run was seen".to_owned(),
        },
        (None, Some(_)) => match handoff.producer {
            Some((sender, _)) => {
                format!("the message names trace {}, of which no span is here", ids.cut(&sender))
            }
            None => "no span of the sending side was seen".to_owned(),
        },
    };
    let wait = handoff.queue_wait_ms.map(|wait| format!("   {} later", duration(wait))).unwrap_or_default();
    writeln!(out, "  {}  {text}{}", "╳".broken(), wait.faint())
}

/// Whether a sender's trace has spans below one that never came: they ran there, but the
/// span of the run is missing.
fn holds_what_ran(sender: &TraceReport, handoff: &HandoffReport) -> bool {
    let published = handoff.producer.map(|(_, span)| span);
    let has_lost_parent = |span: &SpanReport| {
        span.kind != "server"
            && Some(span.span_id) != published
            && span.parent_id.is_some_and(|parent| sender.spans.iter().all(|known| known.span_id != parent))
    };
    sender.complete && sender.spans.iter().any(has_lost_parent)
}

/// Writes the point where a run links to its sender.
pub fn link(handoff: &HandoffReport, out: &mut dyn Write) -> io::Result<()> {
    let wait = handoff.queue_wait_ms.map(|wait| format!("   {} later", duration(wait))).unwrap_or_default();
    writeln!(out, "  {}  linked: a trace of its own, by choice{}", "↪".intact(), wait.faint())
}
