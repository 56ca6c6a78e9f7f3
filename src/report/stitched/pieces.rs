//! What is drawn, and in which order: the traces, and what lies between two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::health::has_no_run_yet;
use super::sides::{Gap, Sides};
use super::traces::Parts;
use crate::model::{HandoffReport, SpanId, Timestamp};

/// A piece of the one trace that it should have been.
pub enum Piece<'r> {
    /// A trace, by its place.
    Tree(usize),
    Gap(Gap, Seam<'r>),
    Link(Seam<'r>),
}

/// Where the two sides of a hand-off should meet.
#[derive(Clone, Copy)]
pub struct Seam<'r> {
    pub handoff: &'r HandoffReport,
    /// The publishing span and the run, with the places of their traces, if they are
    /// listed.
    pub from: Option<(usize, SpanId)>,
    pub to: Option<(usize, SpanId)>,
}

impl<'r> Seam<'r> {
    fn of(handoff: &'r HandoffReport, sides: &Sides, parts: &Parts<'_>) -> Self {
        let from = handoff.producer.and_then(|(trace, span)| Some((parts.place(trace)?, span)));
        Self { handoff, from, to: sides.runs.first().copied() }
    }
}

/// What is said between the two sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    /// The gap, or that they are linked.
    All,
    /// That they are linked.
    Links,
    Nothing,
}

/// The pieces of one hand-off: its sender, then its runs.
pub fn of_handoff<'h>(
    handoff: &'h HandoffReport,
    sides: &Sides,
    parts: &Parts<'_>,
    between: Between,
) -> Vec<Piece<'h>> {
    let are_linked = sides.are_linked(parts);
    let seam = Seam::of(handoff, sides, parts);
    let mut pieces: Vec<_> = sides.sender.map(Piece::Tree).into_iter().collect();
    if between == Between::All {
        pieces.extend(spot(handoff, sides, parts, seam));
    }
    for trace in sides.apart() {
        if between == Between::Links && are_linked {
            pieces.push(Piece::Link(seam));
        }
        pieces.push(Piece::Tree(trace));
    }
    pieces
}

/// The gap, or that the two sides are linked by choice.
fn spot<'r>(
    handoff: &'r HandoffReport,
    sides: &Sides,
    parts: &Parts<'_>,
    seam: Seam<'r>,
) -> Option<Piece<'r>> {
    if sides.are_linked(parts) {
        return Some(Piece::Link(seam));
    }
    Gap::of(handoff, sides, parts).map(|gap| Piece::Gap(gap, seam))
}

/// The pieces of a group in which nothing is broken: all traces, those that link to another
/// one below it.
pub fn of_group<'r>(parts: &Parts<'r>) -> Vec<Piece<'r>> {
    let runs = parts.handoffs.iter().flat_map(|handoff| {
        let runs = handoff.consumers.iter().filter_map(|(trace, _)| parts.place(*trace));
        runs.map(move |run| (run, handoff))
    });
    let mut handoffs = BTreeMap::new();
    for (run, handoff) in runs {
        handoffs.entry(run).or_insert(handoff);
    }
    let mut pieces = Vec::new();
    for trace in linked_last((0..parts.traces.len()).collect(), parts) {
        if let Some(handoff) = handoffs.get(&trace).filter(|_| links_to_another(trace, parts)) {
            pieces.push(Piece::Link(Seam::of(handoff, &Sides::of(handoff, parts), parts)));
        }
        pieces.push(Piece::Tree(trace));
    }
    pieces
}

/// The pieces of all that belongs together: the sender of each hand-off, then what lies
/// between it and its runs, then those, and at the end what hands nothing over.
pub fn of_passage<'r>(parts: &Parts<'r>) -> Vec<Piece<'r>> {
    let mut handoffs: Vec<_> =
        parts.handoffs.iter().map(|handoff| (handoff, Sides::of(handoff, parts))).collect();
    handoffs.sort_by_cached_key(|(handoff, sides)| {
        let handoff: &'r HandoffReport = handoff;
        (began(sides, parts), &*handoff.task_id, handoff.attempt)
    });
    let (mut pieces, mut placed) = (Vec::new(), BTreeSet::new());
    for (handoff, sides) in handoffs {
        if let Some(sender) = sides.sender.filter(|sender| placed.insert(*sender)) {
            pieces.push(Piece::Tree(sender));
        }
        let seam = Seam::of(handoff, &sides, parts);
        let gap = if has_no_run_yet(handoff) {
            Some(Piece::Gap(Gap::NoRunYet, seam))
        } else {
            spot(handoff, &sides, parts, seam)
        };
        let apart: Vec<_> = sides.apart().into_iter().filter(|trace| placed.insert(*trace)).collect();
        // A second hand-off into the same trace says nothing new of it, unless it is broken.
        let is_news = !apart.is_empty() || sides.runs.is_empty() || handoff.finding.is_some();
        pieces.extend(gap.filter(|_| is_news));
        pieces.extend(apart.into_iter().map(Piece::Tree));
    }
    let others = (0..parts.traces.len()).filter(|trace| !placed.contains(trace)).collect();
    pieces.extend(linked_last(others, parts).into_iter().map(Piece::Tree));
    pieces
}

/// When the sender and the first run of a hand-off began.
fn began(sides: &Sides, parts: &Parts<'_>) -> [Option<Timestamp>; 2] {
    let start = |trace: usize| parts.traces[trace].spans.first().map(|span| span.start);
    let run = sides.runs.first().and_then(|(trace, run)| parts.span(*trace, *run));
    [sides.sender.and_then(start), run.map(|run| run.start)]
}

fn linked_last(mut traces: Vec<usize>, parts: &Parts<'_>) -> Vec<usize> {
    traces.sort_by_cached_key(|trace| links_to_another(*trace, parts));
    traces
}

fn links_to_another(trace: usize, parts: &Parts<'_>) -> bool {
    let own = parts.traces[trace].trace_id;
    parts.index_of(trace).linked.iter().any(|linked| *linked != own && parts.place(*linked).is_some())
}
