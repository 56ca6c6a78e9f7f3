//! The span store: compact, bounded, one entry a trace.
//!
//! Spans lie in their trace, so that a trace is judged and let go as a whole, and a look-up
//! inside one touches one place in memory.

use std::sync::Arc;

use hashbrown::hash_map::Entry;

use super::shape::Shapes;
use super::stored::{SpanKey, StoredSpan, stored};
use super::trace::{SpanRef, Trace};
use crate::evidence::age::Ages;
use crate::evidence::names::Names;
use crate::evidence::processes::Process;
use crate::evidence::unit::Unit;
use crate::model::{Map, Span, TraceId};

/// What became of a span that came in.
#[derive(Debug)]
pub enum Arrival {
    New,
    /// The same span with the same content; the request of this number brought it first.
    Again {
        first_request: u32,
    },
    /// Different content under the id of a span that is here. The one that ended last is
    /// kept, whichever came first. This is the other one, if it had to give way.
    Rewritten {
        before: Option<Box<StoredSpan>>,
    },
    /// Its trace already takes as much as one may.
    NoRoom,
}

/// Every trace that is held.
///
/// Ids come from outside, so the maps are seeded: against a known hash, chosen ids could
/// make each look-up as slow as a search through the store.
#[derive(Default, Debug)]
pub struct SpanStore {
    traces: Map<TraceId, Box<Trace>>,
    shapes: Shapes,
    /// All that came, whether still here or not.
    spans: u64,
    /// All that came, whether still here or not.
    seen_traces: u64,
    bytes: usize,
    /// Spans that are here.
    held: u64,
    /// Spans whose id was here already, with the same content or another.
    duplicates: u64,
    /// Spans that found no room in their trace.
    left_out: u64,
    /// How many bytes one trace may take; `None` where there is no bound.
    most_of_one: Option<usize>,
}

impl SpanStore {
    /// Takes a span that `process` sent in request number `request`.
    pub fn insert(
        &mut self,
        span: &Span<'_>,
        process: &Arc<Process>,
        request: u32,
        names: &mut Names,
        ages: &mut Ages,
    ) -> Arrival {
        let trace = match self.traces.entry(span.trace_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let age = ages.begin(|| Unit::Trace(span.trace_id));
                self.seen_traces += u64::from(!age.is_remnant);
                self.bytes += Trace::ENTRY;
                place.insert(Box::new(Trace::new(span.trace_id, age)))
            }
        };
        if let Some(place) = trace.place_of(span.span_id) {
            self.duplicates += 1;
            let fingerprint = process.fingerprint_of(span);
            if let Some(first_request) = trace.brought_to(place, fingerprint) {
                return Arrival::Again { first_request };
            }
            let known = &mut trace.spans[place];
            if (span.end, fingerprint) < (known.end, known.fingerprint) {
                self.bytes += trace.passed_over(span.span_id, fingerprint, request);
                return Arrival::Rewritten { before: None };
            }
            let shape = self.shapes.share(span, process, names);
            let before = std::mem::replace(known, stored(span, shape, request));
            let (freed, taken) = (before.heap(), known.heap());
            trace.grown = trace.grown + taken - freed;
            self.bytes = self.bytes + taken - freed;
            self.bytes += trace.passed_over(before.id, before.fingerprint, before.request);
            trace.closed.set((0, false));
            ages.touch(&mut trace.age, || Unit::Trace(span.trace_id));
            return Arrival::Rewritten { before: Some(Box::new(before)) };
        }
        self.spans += 1;
        ages.touch(&mut trace.age, || Unit::Trace(span.trace_id));
        if self.most_of_one.is_some_and(|most| trace.grown >= most) {
            trace.is_cut = true;
            self.left_out += 1;
            return Arrival::NoRoom;
        }
        let shape = self.shapes.share(span, process, names);
        self.bytes += trace.push(stored(span, shape, request));
        self.held += 1;
        Arrival::New
    }

    /// From now on one trace takes at most about this many bytes. Its further spans are
    /// left out, so that one endless trace leaves room for others.
    pub const fn bound(&mut self, most_of_one: usize) {
        self.most_of_one = Some(most_of_one);
    }

    pub fn trace(&self, id: TraceId) -> Option<&Trace> {
        self.traces.get(&id).map(|trace| &**trace)
    }

    pub fn trace_mut(&mut self, id: TraceId) -> Option<&mut Trace> {
        self.traces.get_mut(&id).map(|trace| &mut **trace)
    }

    pub fn get(&self, key: SpanKey) -> Option<SpanRef<'_>> {
        let trace = self.traces.get(&key.trace_id)?;
        trace.get(key.span_id).map(|span| SpanRef { trace, span })
    }

    /// In no order that means anything.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.traces.values().map(|trace| &**trace)
    }

    /// How many traces came, including those that were let go.
    pub fn trace_count(&self) -> u64 {
        self.seen_traces
    }

    /// How many traces are here.
    pub fn held_traces(&self) -> usize {
        self.traces.len()
    }

    /// How many spans are here.
    pub const fn held_spans(&self) -> u64 {
        self.held
    }

    /// How many spans came with an id that was here.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many spans were let go, including those that found no room in their trace.
    pub const fn let_go(&self) -> u64 {
        self.spans - self.held
    }

    /// How many spans found no room in their trace.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// About how many bytes the spans that are here take, without their names.
    pub const fn bytes(&self) -> usize {
        self.bytes + self.shapes.bytes()
    }

    /// Drops the shapes that no span has any more.
    pub fn sweep_shapes(&mut self) {
        self.shapes.sweep();
    }

    /// Lets a trace go.
    pub fn remove(&mut self, id: TraceId) -> Option<Trace> {
        let trace = *self.traces.remove(&id)?;
        self.bytes -= trace.bytes();
        self.held -= trace.spans.len() as u64;
        Some(trace)
    }

    /// How many spans came, including those that were let go.
    pub fn span_count(&self) -> u64 {
        self.spans
    }

    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }
}
