//! A layout as values: its fragments and its rows.

use std::ops::Range;

use super::axis::Axis;
use super::sides::Gap;
use crate::model::{SpanReport, Station, Stations, TraceReport};

/// How much of each trace is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// A few lines: those that matter, and then the first.
    Picked,
    /// All of it, with siblings that are alike folded, and without a framework's inner
    /// spans.
    Folded,
    /// Each span on a row of its own.
    Everything,
}

/// One trace as it should have been.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stitched {
    /// Safe for a terminal: `POST /orders → process_order`.
    pub title: String,
    /// Of the hand-off that matters most.
    pub stations: Option<Stations>,
    /// One for each trace, in the order in which they are drawn.
    pub fragments: Vec<Fragment>,
    pub rows: Vec<Row>,
    /// Common to all fragments; `None` if they have no spans.
    pub axis: Option<Axis>,
}

/// One of the traces that should have been one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Its place among the traces that were laid out.
    pub trace: usize,
    pub rows: Range<usize>,
}

/// One row.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The place of its fragment. What lies between two belongs to the one before it.
    pub fragment: usize,
    /// How deep the span lies in its trace, a root at 0.
    pub depth: usize,
    /// The lines that connect a span to its parent (`│  └─ `). On other rows they go on
    /// from the row above.
    pub branch: String,
    pub content: Content,
}

/// What a row shows.
#[derive(Clone, PartialEq, Debug)]
pub enum Content {
    Span {
        /// Its place in the trace.
        index: usize,
        /// When it begins on the axis, in milliseconds.
        from: f64,
        /// How long it lasts, in milliseconds.
        length: f64,
        /// Whether the trace enters a service here.
        is_entry: bool,
        /// The lines that go on below it.
        below: String,
    },
    /// Siblings that would repeat the same, in words that are safe: `12 broker commands`.
    Folded { what: String, spans: u64 },
    /// Above a run: how long its message was in the queue, in words and in milliseconds,
    /// and which attempt it is, counted from 0.
    Wait { text: String, millis: f64, attempt: u32 },
    /// Below the span at this place: its exception.
    Exception { index: usize },
    /// How many spans of the fragment are on no row.
    More { spans: u64 },
    /// The two sides do not meet.
    Gap {
        gap: Gap,
        /// Where on the way the context was lost.
        station: Option<Station>,
        later_ms: Option<f64>,
        /// The rows of the publishing span and of the run, where they are shown.
        from: Option<usize>,
        to: Option<usize>,
    },
    /// What follows is a trace of its own, by choice.
    Link { later_ms: Option<f64>, from: Option<usize>, to: Option<usize> },
}

impl Stitched {
    /// The span on a row, among the traces that were laid out.
    pub fn span<'t>(&self, row: &Row, traces: &'t [TraceReport]) -> Option<&'t SpanReport> {
        let (Content::Span { index, .. } | Content::Exception { index }) = row.content else { return None };
        self.trace(row, traces)?.spans.get(index)
    }

    /// The trace that a row belongs to, among those that were laid out.
    pub fn trace<'t>(&self, row: &Row, traces: &'t [TraceReport]) -> Option<&'t TraceReport> {
        traces.get(self.fragments.get(row.fragment)?.trace)
    }
}
