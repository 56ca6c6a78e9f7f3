//! The pieces as rows.

use std::collections::BTreeMap;

use super::axis::Axis;
use super::pieces::{Piece, Seam};
use super::row::{Content, Detail, Fragment, Row, Stitched};
use super::traces::Parts;
use super::tree::{Drawn, Line, Tree};

use crate::model::{HandoffReport, Map, SpanId, SpanReport, Station, StationState};
use crate::report::text::duration;

/// The rows, while they are made.
pub struct Rows<'p, 'r> {
    parts: &'p Parts<'r>,
    waits: BTreeMap<SpanId, (f64, u32)>,
    axis: Axis,
    fragments: Vec<Fragment>,
    rows: Vec<Row>,
    /// On which row a span is, by the place of its trace and its id: those that lie at a
    /// seam.
    at_seams: Map<(usize, SpanId), Option<usize>>,
}

impl<'p, 'r> Rows<'p, 'r> {
    /// All rows of these pieces; none if they have no spans.
    pub fn of(pieces: &[Piece<'_>], parts: &'p Parts<'r>, detail: Detail) -> Stitched {
        let traces = pieces.iter().filter_map(|piece| match piece {
            Piece::Tree(trace) => Some(&parts.traces[*trace]),
            Piece::Gap(..) | Piece::Link(..) => None,
        });
        let Some(axis) = Axis::over(traces) else { return Stitched::default() };
        let seams = pieces.iter().filter_map(|piece| match piece {
            Piece::Gap(_, seam) | Piece::Link(seam) => Some(seam),
            Piece::Tree(_) => None,
        });
        let at_seams = seams.flat_map(|seam| seam.from.into_iter().chain(seam.to)).map(|end| (end, None));
        let mut all = Self {
            parts,
            waits: waits_of(parts.handoffs),
            axis,
            fragments: Vec::new(),
            rows: Vec::new(),
            at_seams: at_seams.collect(),
        };
        for piece in pieces {
            match piece {
                Piece::Tree(trace) => all.tree(*trace, detail),
                Piece::Gap(gap, seam) => {
                    let (later_ms, station) = (seam.handoff.queue_wait_ms, broken_station(seam.handoff));
                    all.between(Content::Gap { gap: *gap, station, later_ms, from: None, to: None });
                }
                Piece::Link(seam) => {
                    let later_ms = seam.handoff.queue_wait_ms;
                    all.between(Content::Link { later_ms, from: None, to: None });
                }
            }
        }
        all.join(pieces);
        Stitched { fragments: all.fragments, rows: all.rows, axis: Some(axis), ..Stitched::default() }
    }

    fn between(&mut self, content: Content) {
        let fragment = self.fragments.len().saturating_sub(1);
        self.rows.push(Row { fragment, depth: 0, branch: String::new(), content });
    }

    fn tree(&mut self, trace: usize, detail: Detail) {
        let fragment = self.fragments.len();
        let first = self.rows.len();
        let Tree { lines, more } = Tree::of(&self.parts.traces[trace], detail);
        for line in lines {
            let Line { content, depth, branch, below } = line;
            match content {
                Drawn::Folded(what, spans) => {
                    self.rows.push(Row { fragment, depth, branch, content: Content::Folded { what, spans } });
                }
                Drawn::Span(index, span) => {
                    let content = self.of_span(index, span, depth, below);
                    self.span(Row { fragment, depth, branch, content }, trace, span);
                }
            }
        }
        if more > 0 {
            let content = Content::More { spans: more };
            self.rows.push(Row { fragment, depth: 0, branch: String::new(), content });
        }
        self.fragments.push(Fragment { trace, rows: first..self.rows.len() });
    }

    fn of_span(&self, index: usize, span: &SpanReport, depth: usize, below: String) -> Content {
        let from = span.start.millis_since(self.axis.start);
        let is_entry = depth == 0 || span.kind == "consumer";
        Content::Span { index, from, length: span.duration_ms, is_entry, below }
    }

    /// A span, with its wait above it and its exception below it.
    fn span(&mut self, row: Row, trace: usize, span: &SpanReport) {
        let (fragment, depth) = (row.fragment, row.depth);
        if depth > 0
            && let Some((millis, attempt)) = self.waits.get(&span.span_id).copied()
        {
            let letters = row.branch.chars().count().saturating_sub(3);
            let branch = row.branch.chars().take(letters).collect();
            let content = Content::Wait { text: self.waited(trace, span, millis), millis, attempt };
            self.rows.push(Row { fragment, depth, branch, content });
        }
        if let Some(at) = self.at_seams.get_mut(&(trace, span.span_id)) {
            *at = Some(self.rows.len());
        }
        let exception = match &row.content {
            Content::Span { index, below, .. } if span.exception.is_some() => Some((*index, below.clone())),
            _ => None,
        };
        self.rows.push(row);
        if let Some((index, branch)) = exception {
            self.rows.push(Row { fragment, depth, branch, content: Content::Exception { index } });
        }
    }

    /// The text for a run's wait. A worker may begin before the publishing span has ended
    /// and, if the clocks of two machines differ, even before it has begun.
    fn waited(&self, trace: usize, run: &SpanReport, wait: f64) -> String {
        if wait >= 0.0 {
            return format!("{} in the queue", duration(wait));
        }
        let producer = run.parent_id.and_then(|parent| self.parts.span(trace, parent));
        if producer.is_some_and(|producer| run.start < producer.start) {
            return "begins before it was published: the clocks differ".to_owned();
        }
        format!("taken {} before the publishing ended", duration(-wait))
    }

    /// Says at each seam on which rows its two spans are.
    fn join(&mut self, pieces: &[Piece<'_>]) {
        let seams = pieces.iter().filter_map(|piece| match piece {
            Piece::Gap(_, seam) | Piece::Link(seam) => Some(*seam),
            Piece::Tree(_) => None,
        });
        let between = self
            .rows
            .iter_mut()
            .filter(|row| matches!(row.content, Content::Gap { .. } | Content::Link { .. }));
        for (row, Seam { from: sent, to: ran, .. }) in between.zip(seams) {
            let at = |end: Option<(usize, SpanId)>| end.and_then(|end| self.at_seams.get(&end).copied()?);
            if let Content::Gap { from, to, .. } | Content::Link { from, to, .. } = &mut row.content {
                (*from, *to) = (at(sent), at(ran));
            }
        }
    }
}

/// How long each run's message was in the queue, in milliseconds, and which attempt it is,
/// counted from 0.
fn waits_of(handoffs: &[HandoffReport]) -> BTreeMap<SpanId, (f64, u32)> {
    let waits = handoffs.iter().filter_map(|handoff| Some((handoff, handoff.queue_wait_ms?)));
    let each = waits.flat_map(|(handoff, wait)| {
        handoff.consumers.iter().map(move |(_, span)| (*span, (wait, handoff.attempt)))
    });
    each.collect()
}

fn broken_station(handoff: &HandoffReport) -> Option<Station> {
    Station::ALL.into_iter().find(|station| handoff.stations.get(*station) == StationState::Broken)
}
