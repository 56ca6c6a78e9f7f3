//! The traces that a layout is made of, found by their ids and asked what lies in them.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    HandoffReport, Map, MapHash, Report, SpanId, SpanReport, Timestamp, TraceId, TraceReport,
};

/// Traces and hand-offs that belong together, or that stand in one report.
pub struct Parts<'r> {
    pub traces: &'r [TraceReport],
    pub handoffs: &'r [HandoffReport],
    places: BTreeMap<TraceId, usize>,
    /// Made when something first asks for that of a trace.
    indices: Vec<OnceCell<Index>>,
}

/// What is asked of a trace again and again, so that no question costs as much as the
/// trace has spans.
pub struct Index {
    /// The place of each span among those of its trace.
    pub places: Map<SpanId, usize>,
    /// When the first span began that can have published something.
    pub first_sender: Option<Timestamp>,
    /// Spans whose parent is not there, servers excepted: two, as one may be the publishing
    /// one.
    pub without_parent: Vec<SpanId>,
    /// The traces that its spans link to.
    pub linked: BTreeSet<TraceId>,
}

impl<'r> Parts<'r> {
    pub fn new(traces: &'r [TraceReport], handoffs: &'r [HandoffReport]) -> Self {
        // Of two with one id the first counts.
        let places = traces.iter().enumerate().rev().map(|(place, trace)| (trace.trace_id, place)).collect();
        let indices = traces.iter().map(|_| OnceCell::new()).collect();
        Self { traces, handoffs, places, indices }
    }

    pub fn of(report: &'r Report) -> Self {
        Self::new(&report.traces, &report.handoffs)
    }

    /// Where a trace is, if it is listed.
    pub fn place(&self, id: TraceId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    pub fn index_of(&self, trace: usize) -> &Index {
        self.indices[trace].get_or_init(|| Index::of(&self.traces[trace]))
    }

    pub fn span(&self, trace: usize, id: SpanId) -> Option<&'r SpanReport> {
        self.index_of(trace).places.get(&id).map(|place| &self.traces[trace].spans[*place])
    }
}

impl Index {
    fn of(trace: &TraceReport) -> Self {
        let spans = &trace.spans;
        let mut places = Map::with_capacity_and_hasher(spans.len(), MapHash::default());
        for (place, span) in spans.iter().enumerate() {
            places.entry(span.span_id).or_insert(place);
        }
        let may_send = spans.iter().filter(|span| matches!(span.kind, "server" | "producer"));
        let is_lost = |span: &&SpanReport| {
            span.kind != "server" && span.parent_id.is_some_and(|parent| !places.contains_key(&parent))
        };
        Self {
            first_sender: may_send.map(|span| span.start).min(),
            without_parent: spans.iter().filter(is_lost).take(2).map(|span| span.span_id).collect(),
            linked: spans.iter().flat_map(|span| &span.links).map(|(trace, _)| *trace).collect(),
            places,
        }
    }
}
