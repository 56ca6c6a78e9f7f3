//! The two sides of a hand-off, and the gap between them.

use std::collections::BTreeSet;

use super::traces::Parts;
use crate::model::{HandoffReport, SpanId, TraceId};
use crate::report::text::duration;

/// The traces of both sides of a hand-off, by their places, as far as they are listed.
pub struct Sides {
    pub sender: Option<usize>,
    /// The spans of its runs, with their traces.
    pub runs: Vec<(usize, SpanId)>,
}

impl Sides {
    pub fn of(handoff: &HandoffReport, parts: &Parts<'_>) -> Self {
        let runs = handoff.consumers.iter().filter_map(|(trace, span)| Some((parts.place(*trace)?, *span)));
        let runs: Vec<_> = runs.collect();
        // The publisher is there even if only its PRODUCER span is missing, or if the run
        // is below it.
        let named = handoff.producer.and_then(|(trace, _)| parts.place(trace));
        let above = || runs.iter().find(|(trace, run)| shows_sender(parts, *trace, *run));
        let sender = named.or_else(|| above().map(|(trace, _)| *trace));
        Self { sender, runs }
    }

    /// The traces of the runs that are not the sender's, each once.
    pub fn apart(&self) -> Vec<usize> {
        let mut seen: BTreeSet<usize> = self.sender.into_iter().collect();
        self.runs.iter().map(|(trace, _)| *trace).filter(|trace| seen.insert(*trace)).collect()
    }

    /// Whether the run is a root by design: it, or a span below it, links to the sender's
    /// trace.
    pub fn are_linked(&self, parts: &Parts<'_>) -> bool {
        let Some((sender, (run, _))) = self.sender.zip(self.runs.first()) else { return false };
        *run != sender && parts.index_of(*run).linked.contains(&parts.traces[sender].trace_id)
    }
}

/// What lies between the two sides of a hand-off that do not meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gap {
    /// The run is in the publisher's trace, and its parent is missing.
    PublisherNotSeen,
    /// The run is a root, or below one, in a trace of its own.
    OrphanedRoot,
    /// The run is in this trace, which is not listed.
    RunNotListed(TraceId),
    /// Of the run there is only what hangs below its span.
    OnlyBelowRun,
    /// No span of the run is there.
    RunNotSeen,
    /// The message names this trace, of which no span is there.
    SenderNotListed(TraceId),
    /// No span of the sending side is there.
    SenderNotSeen,
    /// Nothing is wrong: it waits, or runs.
    NoRunYet,
}

impl Gap {
    /// The gap of a hand-off, if its sides do not meet and are not linked by choice.
    pub fn of(handoff: &HandoffReport, sides: &Sides, parts: &Parts<'_>) -> Option<Self> {
        match (sides.sender, sides.runs.first()) {
            (Some(sender), Some((trace, run))) if *trace == sender => {
                let meets = !parts.traces[*trace].complete || has_parent(parts, *trace, *run);
                (!meets).then_some(Self::PublisherNotSeen)
            }
            (None, None) => None,
            (Some(_), Some(_)) => Some(Self::OrphanedRoot),
            (Some(sender), None) => Some(match handoff.consumers.first() {
                Some((run, _)) => Self::RunNotListed(*run),
                None if holds_what_ran(parts, sender, handoff) => Self::OnlyBelowRun,
                None => Self::RunNotSeen,
            }),
            (None, Some(_)) => Some(match handoff.producer {
                Some((sender, _)) => Self::SenderNotListed(sender),
                None => Self::SenderNotSeen,
            }),
        }
    }

    /// What happened, in words, where `name` shortens the id of a trace.
    pub fn words(self, name: impl Fn(&TraceId) -> String) -> String {
        match self {
            Self::PublisherNotSeen => "the span that published it was not seen".to_owned(),
            Self::OrphanedRoot => "the worker started a trace of its own: an orphaned root".to_owned(),
            Self::RunNotListed(run) => format!("the run is in trace {}, which is not listed", name(&run)),
            Self::OnlyBelowRun => "the span of the run was not seen: only what hangs below it was".to_owned(),
            Self::RunNotSeen => "no span of the run was seen".to_owned(),
            Self::SenderNotListed(sender) => {
                format!("the message names trace {}, of which no span is here", name(&sender))
            }
            Self::SenderNotSeen => "no span of the sending side was seen".to_owned(),
            Self::NoRunYet => "no run so far: it waits, or runs".to_owned(),
        }
    }
}

/// How long after the publishing a run began, in words.
pub fn later(millis: f64) -> String {
    if millis >= 0.0 {
        format!("{} later", duration(millis))
    } else {
        format!("{} before the publishing ended", duration(-millis))
    }
}

/// Whether a run's trace shows who published it: its parent is there, or a request or a
/// publish before it.
fn shows_sender(parts: &Parts<'_>, trace: usize, run: SpanId) -> bool {
    let start = parts.span(trace, run).map(|span| span.start);
    let came_before =
        parts.index_of(trace).first_sender.zip(start).is_some_and(|(sent, start)| sent <= start);
    came_before || has_parent(parts, trace, run)
}

fn has_parent(parts: &Parts<'_>, trace: usize, run: SpanId) -> bool {
    let parent = parts.span(trace, run).and_then(|span| span.parent_id);
    parent.is_some_and(|parent| parts.span(trace, parent).is_some())
}

/// Whether a sender's trace has spans below one that never came: they ran there, but the
/// span of the run is missing.
fn holds_what_ran(parts: &Parts<'_>, sender: usize, handoff: &HandoffReport) -> bool {
    let published = handoff.producer.map(|(_, span)| span);
    let lost = &parts.index_of(sender).without_parent;
    parts.traces[sender].complete && lost.iter().any(|span| Some(*span) != published)
}
