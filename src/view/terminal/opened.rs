//! The chosen passage, laid out as the one trace that it should have been, with what is
//! folded and which row is chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{SpanId, SpanReport, TraceId, TraceReport};
use crate::report::stitched::{Content, Detail, Parts, Row, Stitched};
use crate::report::text::{safe, width};
use crate::view::Source;
use crate::view::board::Passage;

/// A passage that is shown as a tree.
#[derive(Debug)]
pub struct Opened {
    pub passage: Arc<Passage>,
    /// Its traces with more spans than the events brought, where somebody asked for them.
    in_full: Option<Vec<TraceReport>>,
    pub stitched: Stitched,
    pub detail: Detail,
    folded: BTreeSet<(TraceId, SpanId)>,
    /// The rows that are not folded away, by their places.
    visible: Vec<usize>,
    /// How many rows each folded one hides.
    hides: BTreeMap<usize, usize>,
    /// The place of the chosen row among the visible ones.
    pub chosen: usize,
    pub top: usize,
    /// How wide the widest name is with its branch, and the widest service.
    pub name_width: usize,
    pub service_width: usize,
}

impl Opened {
    /// As the events brought it.
    pub fn new(passage: Arc<Passage>, detail: Detail) -> Self {
        let mut opened = Self {
            passage,
            in_full: None,
            stitched: Stitched::default(),
            detail,
            folded: BTreeSet::new(),
            visible: Vec::new(),
            hides: BTreeMap::new(),
            chosen: 0,
            top: 0,
            name_width: 0,
            service_width: 0,
        };
        opened.lay_out();
        opened
    }

    /// The same passage as it is now. What was folded stays folded.
    pub fn update(&mut self, passage: Arc<Passage>) {
        self.passage = passage;
        self.in_full = None;
        self.lay_out();
    }

    /// Asks for all spans of its traces, `most` at most, where the events brought fewer.
    pub fn fill(&mut self, source: &dyn Source, most: usize) {
        let is_whole = |trace: &TraceReport| trace.complete;
        if self.in_full.is_some() || self.passage.traces.iter().all(is_whole) {
            return;
        }
        let mut left = most;
        let mut in_full = Vec::with_capacity(self.passage.traces.len());
        for trace in &self.passage.traces {
            let filled = (!is_whole(trace) && left > trace.spans.len())
                .then(|| source.trace(trace.trace_id, left))
                .flatten();
            let trace = filled.unwrap_or_else(|| trace.clone());
            left = left.saturating_sub(trace.spans.len());
            in_full.push(trace);
        }
        self.in_full = Some(in_full);
        self.lay_out();
    }

    pub fn has_all(&self) -> bool {
        self.in_full.is_some() || self.passage.traces.iter().all(|trace| trace.complete)
    }

    pub fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
        self.lay_out();
    }

    pub fn traces(&self) -> &[TraceReport] {
        self.in_full.as_deref().unwrap_or(&self.passage.traces)
    }

    fn lay_out(&mut self) {
        let before = self.chosen_span();
        let traces = self.in_full.as_deref().unwrap_or(&self.passage.traces);
        self.stitched = Stitched::of_passage(&Parts::new(traces, &self.passage.handoffs), self.detail);
        let (mut name, mut service) = (0, 0);
        for row in &self.stitched.rows {
            let Content::Span { is_entry, .. } = row.content else { continue };
            let Some(span) = self.stitched.span(row, traces) else { continue };
            name = name.max(width(&row.branch) + width(&safe(&span.name)));
            if is_entry {
                service = service.max(width(&safe(&span.service)));
            }
        }
        (self.name_width, self.service_width) = (name, service);
        self.show();
        if let Some(before) = before {
            self.choose(before);
        }
    }

    /// Makes the visible rows anew.
    fn show(&mut self) {
        self.visible.clear();
        self.hides.clear();
        // The folded row that hides what follows, with its fragment and depth.
        let mut under: Option<(usize, usize, usize)> = None;
        for (place, row) in self.stitched.rows.iter().enumerate() {
            if let Some((folded, fragment, depth)) = under {
                if row.fragment == fragment && row.depth > depth {
                    let is_span = matches!(row.content, Content::Span { .. } | Content::Folded { .. });
                    *self.hides.entry(folded).or_default() += usize::from(is_span);
                    continue;
                }
                under = None;
            }
            self.visible.push(place);
            if self.key(row).is_some_and(|key| self.folded.contains(&key)) {
                under = Some((place, row.fragment, row.depth));
            }
        }
        self.chosen = self.chosen.min(self.visible.len().saturating_sub(1));
    }

    fn key(&self, row: &Row) -> Option<(TraceId, SpanId)> {
        if !matches!(row.content, Content::Span { .. }) {
            return None;
        }
        let trace = self.stitched.trace(row, self.traces())?;
        Some((trace.trace_id, self.stitched.span(row, self.traces())?.span_id))
    }

    /// Chooses the row of a span, if it is visible.
    fn choose(&mut self, span: (TraceId, SpanId)) {
        let here = |place: &usize| self.key(&self.stitched.rows[*place]) == Some(span);
        if let Some(place) = self.visible.iter().position(here) {
            self.chosen = place;
        }
    }

    /// The visible rows in this window, with their places among the visible ones.
    pub fn window(&self, rows: usize) -> impl Iterator<Item = (usize, &Row)> {
        let window = self.visible.iter().enumerate().skip(self.top).take(rows);
        window.map(|(place, row)| (place, &self.stitched.rows[*row]))
    }

    /// How many rows the visible row at this place hides.
    pub fn hides(&self, place: usize) -> Option<usize> {
        self.hides.get(self.visible.get(place)?).copied()
    }

    pub fn len(&self) -> usize {
        self.visible.len()
    }

    fn chosen_row(&self) -> Option<&Row> {
        self.visible.get(self.chosen).and_then(|place| self.stitched.rows.get(*place))
    }

    /// The span on the chosen row, or that of its exception.
    pub fn chosen_span(&self) -> Option<(TraceId, SpanId)> {
        let row = self.chosen_row()?;
        let span = self.stitched.span(row, self.traces())?;
        Some((self.stitched.trace(row, self.traces())?.trace_id, span.span_id))
    }

    /// The same with what the report says of it.
    pub fn chosen_report(&self) -> Option<(&TraceReport, &SpanReport)> {
        let row = self.chosen_row()?;
        Some((self.stitched.trace(row, self.traces())?, self.stitched.span(row, self.traces())?))
    }

    /// The trace that the chosen row belongs to.
    pub fn chosen_trace(&self) -> Option<TraceId> {
        let of_row = self.chosen_row().and_then(|row| self.stitched.trace(row, self.traces()));
        of_row.or_else(|| self.traces().first()).map(|trace| trace.trace_id)
    }

    /// Folds what lies below the chosen span, or unfolds it. Siblings that are folded
    /// because they are alike are shown one by one.
    pub fn toggle(&mut self) {
        let Some(row) = self.chosen_row() else { return };
        if matches!(row.content, Content::Folded { .. }) {
            self.set_detail(Detail::Everything);
            return;
        }
        let Some(key) = self.key(row) else { return };
        if !self.folded.remove(&key) {
            self.folded.insert(key);
        }
        self.show();
        self.choose(key);
    }
}
