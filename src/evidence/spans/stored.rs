//! A span as it is stored: the fields that diagnoses read, and nothing else.

use std::ops::Deref;
use std::sync::Arc;

use super::shape::SpanShape;
use crate::model::memory_size::allocation;
use crate::model::{CeleryAction, Exception, Span, SpanContext, SpanId, SpanKind, Timestamp, TraceId};

/// Names a span without borrowing it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpanKey {
    pub trace_id: TraceId,
    pub span_id: SpanId,
}

/// A stored span. What it has in common with others of its kind is in its
/// [shape](SpanShape), whose fields are read as if they were its own.
#[derive(Debug)]
pub struct StoredSpan {
    pub id: SpanId,
    pub parent: Option<SpanId>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub fingerprint: u64,
    /// The number of the request that brought it first.
    pub request: u32,
    shape: Arc<SpanShape>,
    /// What most spans do not have.
    own: Option<Box<Own>>,
}

/// A cache line: of the spans of a trace, four lie in 256 bytes.
const _: () = assert!(size_of::<StoredSpan>() <= 64);

/// What is a span's alone, for the spans that have any.
#[derive(Debug)]
struct Own {
    message_id: Option<Box<str>>,
    status_message: Box<str>,
    links: Box<[SpanContext]>,
    exceptions: Box<[Exception]>,
}

impl Deref for StoredSpan {
    type Target = SpanShape;

    fn deref(&self) -> &SpanShape {
        &self.shape
    }
}

impl StoredSpan {
    /// The id of the task that the span says it belongs to. The id on a hand-made consumer
    /// span may be another program's.
    pub fn task_id(&self) -> Option<&str> {
        let id = self.message_id()?;
        (self.kind == SpanKind::Consumer || self.attributes().action.is_some()).then_some(id)
    }

    /// `messaging.message.id`.
    pub fn message_id(&self) -> Option<&str> {
        self.own.as_ref()?.message_id.as_deref()
    }

    pub fn status_message(&self) -> &str {
        self.own.as_ref().map_or("", |own| &own.status_message)
    }

    pub fn links(&self) -> &[SpanContext] {
        self.own.as_ref().map_or(&[], |own| &own.links)
    }

    pub fn exceptions(&self) -> &[Exception] {
        self.own.as_ref().map_or(&[], |own| &own.exceptions)
    }

    /// The bytes that it holds beyond its own size, without its shape: that is shared.
    pub(super) fn heap(&self) -> usize {
        let Some(own) = &self.own else { return 0 };
        let exceptions =
            own.exceptions.iter().map(|one| allocation(one.kind.len()) + allocation(one.message.len()));
        allocation(size_of::<Own>())
            + allocation(own.message_id.as_deref().map_or(0, str::len))
            + allocation(own.status_message.len())
            + allocation(size_of_val(&*own.links))
            + allocation(size_of_val(&*own.exceptions))
            + exceptions.sum::<usize>()
    }

    /// Whether the Celery instrumentor made this consumer span.
    pub fn is_instrumented_run(&self) -> bool {
        self.kind == SpanKind::Consumer && self.attributes().action == Some(CeleryAction::Run)
    }

    /// Whether it is the instrumentor's span for several messages at once
    /// (`celery-batches`), which has no message id.
    pub fn is_batch_run(&self) -> bool {
        self.is_instrumented_run() && self.message_id().is_none()
    }

    pub fn service(&self) -> &str {
        &self.process.service
    }
}

/// What is kept of a span.
pub(super) fn stored(span: &Span<'_>, shape: Arc<SpanShape>, request: u32) -> StoredSpan {
    StoredSpan {
        id: span.span_id,
        parent: span.parent_id,
        start: span.start,
        end: span.end,
        fingerprint: shape.process.fingerprint_of(span),
        request,
        shape,
        own: own(span),
    }
}

/// The box, where there is anything to keep in it.
fn own(span: &Span<'_>) -> Option<Box<Own>> {
    let has_none = span.message_id.is_none()
        && span.links.is_empty()
        && span.exceptions.is_empty()
        && span.status_message.is_empty();
    (!has_none).then(|| {
        Box::new(Own {
            message_id: span.message_id.as_deref().map(Into::into),
            status_message: span.status_message.as_ref().into(),
            links: span.links.as_slice().into(),
            exceptions: span.exceptions.as_slice().into(),
        })
    })
}
