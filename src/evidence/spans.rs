//! The span store: compact, bounded, one entry a trace.
//!
//! Spans lie in the trace that they belong to, so that a trace is judged and
//! let go as a whole and a look-up inside one touches one place in memory.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use hashbrown::hash_map::Entry;

use super::age::{Age, Ages, Unit};
use super::process::Process;
use crate::model::weight::{allocation, in_map};
use crate::model::{
    CeleryAction, Exception, Map, ParentOrigin, Span, SpanContext, SpanId, SpanKind, SpanStatus, Timestamp,
    TraceId,
};

/// Names a span without borrowing it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpanKey {
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

/// A span at rest.
#[derive(Debug)]
pub struct StoredSpan {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub name: Arc<str>,
    pub process: Arc<Process>,
    pub fingerprint: u64,
    /// The number of the request that brought it first.
    pub request: u32,
    pub http_status: Option<u16>,
    pub kind: SpanKind,
    pub status: SpanStatus,
    pub parent_origin: ParentOrigin,
    /// What most spans do not have.
    detail: Option<Box<Detail>>,
}

/// The attributes that diagnoses read, of the spans that have any.
#[derive(Default, Debug)]
pub struct Detail {
    pub task: Option<Arc<str>>,
    pub message_id: Option<Box<str>>,
    pub destination: Option<Arc<str>>,
    pub exchange: Option<Arc<str>>,
    pub celery_hostname: Option<Arc<str>>,
    pub status_message: Box<str>,
    pub links: Box<[SpanContext]>,
    pub exceptions: Box<[Exception]>,
    pub retries: Option<u32>,
    pub action: Option<CeleryAction>,
    pub redelivered: bool,
    pub will_retry: bool,
    pub rejected: bool,
    /// Whether a consumer span says that its message came from another system
    /// than Celery's.
    pub is_foreign: bool,
}

static NO_DETAIL: LazyLock<Detail> = LazyLock::new(Detail::default);

impl StoredSpan {
    /// The id of the task that the span says it belongs to. That of a consumer
    /// made by hand may be another program's.
    pub fn task_id(&self) -> Option<&str> {
        let detail = self.detail.as_deref()?;
        detail.message_id.as_deref().filter(|_| detail.action.is_some() || self.kind == SpanKind::Consumer)
    }

    /// The bytes that it holds beside its own, names and processes left out:
    /// they are shared.
    fn heap(&self) -> usize {
        let Some(detail) = &self.detail else { return 0 };
        let exceptions =
            detail.exceptions.iter().map(|one| allocation(one.kind.len()) + allocation(one.message.len()));
        allocation(size_of::<Detail>())
            + allocation(detail.message_id.as_deref().map_or(0, str::len))
            + allocation(detail.status_message.len())
            + allocation(size_of_val(&*detail.links))
            + allocation(size_of_val(&*detail.exceptions))
            + exceptions.sum::<usize>()
    }

    pub fn detail(&self) -> &Detail {
        self.detail.as_deref().unwrap_or(&NO_DETAIL)
    }

    /// Whether the Celery instrumentor made this consumer span.
    pub fn is_instrumented_run(&self) -> bool {
        self.kind == SpanKind::Consumer && self.detail().action == Some(CeleryAction::Run)
    }

    /// Whether it is the instrumentor's run of several messages at once, which
    /// has no message's id (`celery-batches`).
    pub fn is_batch_run(&self) -> bool {
        self.is_instrumented_run() && self.detail().message_id.is_none()
    }

    pub fn service(&self) -> &str {
        &self.process.service
    }
}

/// The spans of one trace, in order of arrival.
#[derive(Debug)]
pub struct Trace {
    pub id: TraceId,
    pub spans: Vec<StoredSpan>,
    pub age: Age,
    /// How many spans there were when it was judged last.
    pub(super) judged: usize,
    /// Where each span lies, once there are too many to look through.
    places: Option<Box<Map<SpanId, u32>>>,
    /// Whether spans of it were left out, because it takes as much as one may.
    is_cut: bool,
    /// Contents that came under the id of a span and gave way to another.
    others: Option<Box<Others>>,
    /// What it takes beside its entry.
    grown: usize,
    /// Whether no parent was missing when it had so many spans; 0 where nobody asked.
    closed: Cell<(u32, bool)>,
}

/// Contents that gave way, in a box, as hardly any trace has some.
#[derive(Default, Debug)]
struct Others {
    list: Vec<Other>,
}

/// A content that gave way.
#[derive(Debug)]
struct Other {
    id: SpanId,
    fingerprint: u64,
    /// The number of the request that brought it first.
    request: u32,
}

impl Trace {
    /// What its entry takes. It lies in a box, since a map has room for many more
    /// than it holds, and twice that while it grows.
    const ENTRY: usize = in_map(size_of::<(TraceId, Box<Self>)>()) + allocation(size_of::<Self>());

    /// Up to here a look through the spans beats a map.
    const SCANNED: usize = 32;

    const fn new(id: TraceId, age: Age) -> Self {
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

    /// About how many bytes it takes, its entry in the store included.
    pub const fn bytes(&self) -> usize {
        Self::ENTRY + self.grown
    }

    pub fn get(&self, id: SpanId) -> Option<&StoredSpan> {
        match &self.places {
            Some(places) => places.get(&id).map(|place| &self.spans[*place as usize]),
            None => self.spans.iter().find(|span| span.id == id),
        }
    }

    fn place_of(&self, id: SpanId) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(&id).map(|place| *place as usize),
            None => self.spans.iter().position(|span| span.id == id),
        }
    }

    /// Takes note of a content that gave way. Returns how many bytes the trace grew.
    fn passed_over(&mut self, id: SpanId, fingerprint: u64, request: u32) -> usize {
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

    /// Whether a part of it may have been let go before the rest came: nothing may
    /// be built on what it lacks.
    pub fn is_remnant(&self) -> bool {
        self.age.is_remnant || self.is_cut || (self.age.is_late && !self.is_closed())
    }

    /// [`Trace::lacks_no_parent`], looked up once for as long as nothing comes: each
    /// of ten thousand tasks of a trace may ask.
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
    fn push(&mut self, span: StoredSpan) -> usize {
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

    /// The span's parent, where the trace holds it.
    pub fn parent_of(&self, span: &StoredSpan) -> Option<&StoredSpan> {
        span.parent.and_then(|parent| self.get(parent))
    }

    /// The span's parent, its parent's parent and so on, ending at a root, a
    /// missing parent, or after [`Trace::ANCESTORS`].
    pub fn ancestors<'t>(&'t self, span: &'t StoredSpan) -> impl Iterator<Item = &'t StoredSpan> {
        std::iter::successors(self.parent_of(span), |above| self.parent_of(above)).take(Self::ANCESTORS)
    }

    /// How far up a question about ancestors looks: hostile spans may form a cycle.
    pub const ANCESTORS: usize = 256;

    /// From the first start to the last end.
    pub fn extent(&self) -> (Timestamp, Timestamp) {
        let start = self.spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = self.spans.iter().map(|span| span.end).max().unwrap_or_default();
        (start, end)
    }
}

/// What became of a span that came in.
#[derive(Debug)]
pub enum Arrival {
    New,
    /// The same span, with the same content, in the request of this number before.
    Again {
        first_request: u32,
    },
    /// Another content under the id of a span that is here. Of the two the one that
    /// ended last stays, whichever came first; here is the other, where it had to
    /// give way.
    Rewritten {
        before: Option<Box<StoredSpan>>,
    },
    /// Its trace takes as much as one may.
    NoRoom,
}

/// Every trace that is held.
///
/// Ids come from outside, so the maps are seeded: whoever picks ids that a known
/// hash takes for one would make each look-up as long as the store.
#[derive(Default, Debug)]
pub struct SpanStore {
    traces: Map<TraceId, Box<Trace>>,
    /// All that came, whether they are still here or not.
    spans: u64,
    /// All that came, whether they are still here or not.
    seen_traces: u64,
    bytes: usize,
    /// Spans that are here.
    held: u64,
    /// Spans that came with an id that is here, with the same content or another.
    duplicates: u64,
    /// Spans for which their trace had no room.
    left_out: u64,
    /// How many bytes one trace may take; `None` where there is no bound.
    most_of_one: Option<usize>,
}

impl SpanStore {
    /// Takes a span that `process` sent in the request of number `request`.
    pub fn insert(
        &mut self,
        span: &Span<'_>,
        process: &Arc<Process>,
        request: u32,
        names: &mut super::Names,
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
            let known = &mut trace.spans[place];
            let is_same = |other: &&Other| other.id == span.span_id && other.fingerprint == span.fingerprint;
            if known.fingerprint == span.fingerprint {
                return Arrival::Again { first_request: known.request };
            }
            let others = trace.others.iter().flat_map(|others| &others.list);
            if let Some(other) = others.into_iter().find(is_same) {
                return Arrival::Again { first_request: other.request };
            }
            if (span.end, span.fingerprint) < (known.end, known.fingerprint) {
                self.bytes += trace.passed_over(span.span_id, span.fingerprint, request);
                return Arrival::Rewritten { before: None };
            }
            let before = std::mem::replace(known, stored(span, process, request, names));
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
        self.bytes += trace.push(stored(span, process, request, names));
        self.held += 1;
        Arrival::New
    }

    /// From now on one trace takes at most about so many bytes. What comes for it
    /// past them is left out, so that one trace without end leaves room for others.
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

    /// How many traces there were, those that were let go included.
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

    /// How many spans were let go, those among them that their trace had no room for.
    pub const fn let_go(&self) -> u64 {
        self.spans - self.held
    }

    /// How many spans their trace had no room for.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// About how many bytes the spans that are here take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets a trace go.
    pub fn remove(&mut self, id: TraceId) -> Option<Trace> {
        let trace = *self.traces.remove(&id)?;
        self.bytes -= trace.bytes();
        self.held -= trace.spans.len() as u64;
        Some(trace)
    }

    /// How many spans there were, those that were let go included.
    pub fn span_count(&self) -> u64 {
        self.spans
    }

    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }
}

/// What is kept of a span.
fn stored(span: &Span<'_>, process: &Arc<Process>, request: u32, names: &mut super::Names) -> StoredSpan {
    StoredSpan {
        id: span.span_id,
        parent: span.parent_id,
        start: span.start,
        end: span.end,
        name: names.share(&span.name),
        process: Arc::clone(process),
        fingerprint: span.fingerprint,
        request,
        http_status: span.http_status,
        kind: span.kind,
        status: span.status,
        parent_origin: span.parent_origin,
        detail: detail_of(span, names),
    }
}

/// The box, where there is anything to keep in it.
fn detail_of(span: &Span<'_>, names: &mut super::Names) -> Option<Box<Detail>> {
    let is_foreign = span.kind == SpanKind::Consumer && !span.may_be_celery();
    let is_plain = span.action.is_none()
        && !is_foreign
        && span.task.is_none()
        && span.message_id.is_none()
        && span.destination.is_none()
        && span.retries.is_none()
        && !span.will_retry
        && !span.rejected
        && span.links.is_empty()
        && span.exceptions.is_empty()
        && span.status_message.is_empty();
    if is_plain {
        return None;
    }
    let mut share = |name: &Option<Cow<'_, str>>| name.as_deref().map(|name| names.share(name));
    Some(Box::new(Detail {
        task: share(&span.task),
        message_id: span.message_id.as_deref().map(Into::into),
        destination: share(&span.destination),
        exchange: share(&span.exchange),
        celery_hostname: share(&span.celery_hostname),
        status_message: span.status_message.as_ref().into(),
        links: span.links.as_slice().into(),
        exceptions: span.exceptions.as_slice().into(),
        retries: span.retries,
        action: span.action,
        redelivered: span.redelivered,
        will_retry: span.will_retry,
        rejected: span.rejected,
        is_foreign,
    }))
}

/// A span with the trace that it lies in.
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
