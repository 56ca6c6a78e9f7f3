//! The span store: compact, bounded, one entry a trace.
//!
//! Spans lie in the trace that they belong to, so that a trace is judged and
//! let go as a whole and a look-up inside one touches one place in memory.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::process::Process;
use crate::model::{
    CeleryAction, Exception, ParentOrigin, Span, SpanContext, SpanId, SpanKind, SpanStatus, Timestamp,
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
    pub kind: SpanKind,
    pub status: SpanStatus,
    pub parent_origin: ParentOrigin,
    /// What most spans do not have.
    detail: Option<Box<Detail>>,
}

/// The attributes that diagnoses read, of the spans that have any.
#[derive(Default, Debug)]
pub struct Detail {
    pub action: Option<CeleryAction>,
    pub task: Option<Arc<str>>,
    pub message_id: Option<Box<str>>,
    pub destination: Option<Arc<str>>,
    pub exchange: Option<Arc<str>>,
    pub celery_hostname: Option<Arc<str>>,
    pub celery_state: Option<Arc<str>>,
    pub retries: Option<u32>,
    pub has_eta: bool,
    pub redelivered: bool,
    pub will_retry: bool,
    pub http_status: Option<u16>,
    pub links: SmallVec<[SpanContext; 1]>,
    pub exceptions: Vec<Exception>,
    pub status_message: Box<str>,
    pub facts: SmallVec<[u64; 8]>,
}

static NO_DETAIL: LazyLock<Detail> = LazyLock::new(Detail::default);

impl StoredSpan {
    pub fn detail(&self) -> &Detail {
        self.detail.as_deref().unwrap_or(&NO_DETAIL)
    }

    /// Whether the Celery instrumentor made this consumer span.
    pub fn is_instrumented_run(&self) -> bool {
        self.kind == SpanKind::Consumer && self.detail().action == Some(CeleryAction::Run)
    }

    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
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
    /// Where each span lies, once there are too many to look through.
    places: Option<FxHashMap<SpanId, u32>>,
}

impl Trace {
    /// Up to here a look through the spans beats a map.
    const SCANNED: usize = 32;

    fn new(id: TraceId) -> Self {
        Self { id, spans: Vec::new(), places: None }
    }

    pub fn get(&self, id: SpanId) -> Option<&StoredSpan> {
        match &self.places {
            Some(places) => places.get(&id).map(|place| &self.spans[*place as usize]),
            None => self.spans.iter().find(|span| span.id == id),
        }
    }

    fn push(&mut self, span: StoredSpan) {
        let place = u32::try_from(self.spans.len()).expect("a store holds fewer than 2^32 spans");
        if let Some(places) = &mut self.places {
            places.insert(span.id, place);
        } else if self.spans.len() == Self::SCANNED {
            let known = (0..).zip(&self.spans).map(|(place, span)| (span.id, place));
            self.places = Some(known.chain([(span.id, place)]).collect());
        }
        self.spans.push(span);
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    New,
    /// The same span, with the same content, in the request of this number before.
    Again {
        first_request: u32,
    },
    /// Another content under the id of a span that is here.
    Rewritten {
        first_request: u32,
    },
}

/// Every trace that is held.
#[derive(Default, Debug)]
pub struct SpanStore {
    traces: FxHashMap<TraceId, Trace>,
    spans: u64,
}

impl SpanStore {
    /// Takes a span that `process` sent in the request of number `request`.
    pub fn insert(
        &mut self,
        span: &Span<'_>,
        process: &Arc<Process>,
        request: u32,
        names: &mut super::Names,
    ) -> Arrival {
        let trace = self.traces.entry(span.trace_id).or_insert_with(|| Trace::new(span.trace_id));
        if let Some(known) = trace.get(span.span_id) {
            let first_request = known.request;
            return if known.fingerprint == span.fingerprint {
                Arrival::Again { first_request }
            } else {
                Arrival::Rewritten { first_request }
            };
        }
        trace.push(StoredSpan {
            id: span.span_id,
            parent: span.parent_id,
            start: span.start,
            end: span.end,
            name: names.share(&span.name),
            process: Arc::clone(process),
            fingerprint: span.fingerprint,
            request,
            kind: span.kind,
            status: span.status,
            parent_origin: span.parent_origin,
            detail: detail_of(span, names),
        });
        self.spans += 1;
        Arrival::New
    }

    pub fn trace(&self, id: TraceId) -> Option<&Trace> {
        self.traces.get(&id)
    }

    pub fn get(&self, key: SpanKey) -> Option<SpanRef<'_>> {
        let trace = self.traces.get(&key.trace_id)?;
        trace.get(key.span_id).map(|span| SpanRef { trace, span })
    }

    /// In no order that means anything.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.traces.values()
    }

    pub fn trace_count(&self) -> u64 {
        self.traces.len() as u64
    }

    pub fn span_count(&self) -> u64 {
        self.spans
    }

    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }
}

/// The box, where there is anything to keep in it.
fn detail_of(span: &Span<'_>, names: &mut super::Names) -> Option<Box<Detail>> {
    let is_plain = span.action.is_none()
        && span.task.is_none()
        && span.message_id.is_none()
        && span.destination.is_none()
        && span.retries.is_none()
        && span.http_status.is_none()
        && !span.will_retry
        && span.links.is_empty()
        && span.exceptions.is_empty()
        && span.status_message.is_empty()
        && span.facts.is_empty();
    if is_plain {
        return None;
    }
    let mut share = |name: &Option<Cow<'_, str>>| name.as_deref().map(|name| names.share(name));
    Some(Box::new(Detail {
        action: span.action,
        task: share(&span.task),
        message_id: span.message_id.as_deref().map(Into::into),
        destination: share(&span.destination),
        exchange: share(&span.exchange),
        celery_hostname: share(&span.celery_hostname),
        celery_state: share(&span.celery_state),
        retries: span.retries,
        has_eta: span.has_eta,
        redelivered: span.redelivered,
        will_retry: span.will_retry,
        http_status: span.http_status,
        links: span.links.clone(),
        exceptions: span.exceptions.clone(),
        status_message: span.status_message.as_ref().into(),
        facts: span.facts.clone(),
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

    /// Whether the span began a trace of its own: no parent, and no link that
    /// says where it comes from.
    pub fn is_orphaned_root(self) -> bool {
        self.span.parent.is_none() && self.span.detail().links.is_empty()
    }
}
