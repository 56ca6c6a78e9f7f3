//! The spans of one trace.

use std::cell::Cell;

use super::stored::{SpanKey, StoredSpan};
use crate::evidence::age::Age;
use crate::model::memory_size::{allocation, in_map};
use crate::model::{Map, SpanId, Timestamp, TraceId};

/// The spans of one trace, in order of arrival.
#[derive(Debug)]
pub struct Trace {
    pub id: TraceId,
    pub spans: Vec<StoredSpan>,
    pub age: Age,
    /// How many spans there were when it was last judged.
    pub(in crate::evidence) judged: usize,
    /// The index of each span, once there are too many to search.
    places: Option<Box<Map<SpanId, u32>>>,
    /// Whether spans of it were left out because it takes as much as one may.
    pub(super) is_cut: bool,
    /// Contents that came under a span's id and gave way to another.
    pub(super) others: Option<Box<Others>>,
    /// What it takes besides its entry.
    pub(super) grown: usize,
    /// How many spans there were when no parent was missing; 0 if nobody asked.
    pub(super) closed: Cell<(u32, bool)>,
}

/// Contents that gave way, in a box, as hardly any trace has some.
#[derive(Default, Debug)]
pub(super) struct Others {
    pub list: Vec<Other>,
}

/// A content that gave way.
#[derive(Debug)]
pub(super) struct Other {
    pub id: SpanId,
    pub fingerprint: u64,
    /// The number of the request that brought it first.
    pub request: u32,
}

impl Trace {
    /// What its entry takes. The entry is boxed, since a map has room for many more than it
    /// holds, and twice that while it grows.
    pub(super) const ENTRY: usize = in_map(size_of::<(TraceId, Box<Self>)>()) + allocation(size_of::<Self>());

    /// Up to this many, searching the spans is faster than a map.
    const SCANNED: usize = 32;

    pub(super) const fn new(id: TraceId, age: Age) -> Self {
        Self {
            id,
            spans: Vec::new(),
            age,
            judged: 0,
            places: None,
            is_cut: false,
            others: None,
            grown: 0,
            closed: Cell::new((0, false)),
        }
    }

    /// About how many bytes it takes, including its entry in the store.
    pub const fn bytes(&self) -> usize {
        Self::ENTRY + self.grown
    }

    pub fn get(&self, id: SpanId) -> Option<&StoredSpan> {
        match &self.places {
            Some(places) => places.get(&id).map(|place| &self.spans[*place as usize]),
            None => self.spans.iter().find(|span| span.id == id),
        }
    }

    pub(super) fn place_of(&self, id: SpanId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&id).map(|place| *place as usize),
            None => self.spans.iter().position(|span| span.id == id),
        }
    }

    /// The number of the request that brought a span of this id with this content first.
    pub fn brought_by(&self, id: SpanId, fingerprint: u64) -> Option<u32> {
        self.place_of(id).and_then(|place| self.brought_to(place, fingerprint))
    }

    /// The same for the span at a place.
    pub(super) fn brought_to(&self, place: usize, fingerprint: u64) -> Option<u32> {
        let known = &self.spans[place];
        if known.fingerprint == fingerprint {
            return Some(known.request);
        }
        let mut others = self.others.iter().flat_map(|others| &others.list);
        let same = others.find(|other| other.id == known.id && other.fingerprint == fingerprint);
        same.map(|other| other.request)
    }

    /// Whether further spans of it are left out because it takes as much as one may.
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Notes a content that gave way. Returns how many bytes the trace grew.
    pub(super) fn passed_over(&mut self, id: SpanId, fingerprint: u64, request: u32) -> usize {
        let Others { list } = &mut **self.others.get_or_insert_default();
        if list.len() >= Self::OTHERS {
            return 0;
        }
        let capacity = list.capacity();
        list.push(Other { id, fingerprint, request });
        let grown = (list.capacity() - capacity) * size_of::<Other>();
        self.grown += grown;
        grown
    }

    /// How many contents that gave way are told apart.
    const OTHERS: usize = 64;

    /// Whether a part of it may have been let go before the rest came. Then nothing may be
    /// concluded from what it lacks.
    pub fn is_remnant(&self) -> bool {
        self.age.is_remnant || self.is_cut || (self.age.is_late && !self.is_closed())
    }

    /// [`Trace::lacks_no_parent`], computed once until something new comes: each of the ten
    /// thousand tasks of a trace may ask.
    fn is_closed(&self) -> bool {
        let spans = u32::try_from(self.spans.len()).unwrap_or(u32::MAX);
        let (of, was_closed) = self.closed.get();
        if of == spans {
            return was_closed;
        }
        let is_closed = self.lacks_no_parent();
        self.closed.set((spans, is_closed));
        is_closed
    }

    /// Adds a span, and returns how many bytes the trace grew.
    pub(super) fn push(&mut self, span: StoredSpan) -> usize {
        const PLACE: usize = in_map(size_of::<(SpanId, u32)>());
        let place = u32::try_from(self.spans.len()).expect("a store holds fewer than 2^32 spans");
        let mut grown = span.heap();
        if let Some(places) = &mut self.places {
            places.insert(span.id, place);
            grown += PLACE;
        } else if self.spans.len() == Self::SCANNED {
            let known = (0..).zip(&self.spans).map(|(place, span)| (span.id, place));
            self.places = Some(Box::new(known.chain([(span.id, place)]).collect()));
            grown += PLACE * (Self::SCANNED + 1);
        }
        let capacity = self.spans.capacity();
        if self.spans.len() == capacity {
            // Most traces are short, and doubling would leave half of each unused.
            self.spans.reserve_exact((capacity / 2).max(4));
        }
        self.spans.push(span);
        grown += (self.spans.capacity() - capacity) * size_of::<StoredSpan>();
        self.grown += grown;
        grown
    }

    /// The span's parent, if the trace holds it.
    pub fn parent_of(&self, span: &StoredSpan) -> Option<&StoredSpan> {
        span.parent.and_then(|parent| self.get(parent))
    }

    /// The span's parent, that one's parent and so on, up to a root, a missing parent, or
    /// [`Trace::ANCESTORS`] spans.
    pub fn ancestors<'t>(&'t self, span: &'t StoredSpan) -> impl Iterator<Item = &'t StoredSpan> {
        std::iter::successors(self.parent_of(span), |above| self.parent_of(above)).take(Self::ANCESTORS)
    }

    /// How many ancestors are looked at: hostile spans may form a cycle.
    pub const ANCESTORS: usize = 256;

    /// From the first start to the last end.
    pub fn extent(&self) -> (Timestamp, Timestamp) {
        let start = self.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        (start, end)
    }
}

/// A span, and the trace that it lies in.
#[derive(Clone, Copy, Debug)]
pub struct SpanRef<'e> {
    pub trace: &'e Trace,
    pub span: &'e StoredSpan,
}

impl SpanRef<'_> {
    pub fn key(self) -> SpanKey {
        SpanKey { trace_id: self.trace.id, span_id: self.span.id }
    }
}
