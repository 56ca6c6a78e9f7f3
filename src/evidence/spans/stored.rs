//! A span as it is stored: the fields that diagnoses read, and nothing else.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use crate::evidence::names::Names;
use crate::evidence::processes::Process;
use crate::model::memory_size::allocation;
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

/// A stored span.
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
    attributes: Option<Box<SpanAttributes>>,
}

/// The attributes that diagnoses read, for the spans that have any.
#[derive(Default, Debug)]
pub struct SpanAttributes {
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
    /// Whether a consumer span says that its message came from a messaging system other
    /// than Celery's.
    pub is_foreign: bool,
}

static NO_ATTRIBUTES: LazyLock<SpanAttributes> = LazyLock::new(SpanAttributes::default);

impl StoredSpan {
    /// The id of the task that the span says it belongs to. The id on a hand-made consumer
    /// span may be another program's.
    pub fn task_id(&self) -> Option<&str> {
        let attributes = self.attributes.as_deref()?;
        attributes
            .message_id
            .as_deref()
            .filter(|_| attributes.action.is_some() || self.kind == SpanKind::Consumer)
    }

    /// The bytes that it holds beyond its own size, without names and processes: those are
    /// shared.
    pub(super) fn heap(&self) -> usize {
        let Some(attributes) = &self.attributes else { return 0 };
        let exceptions = attributes
            .exceptions
            .iter()
            .map(|one| allocation(one.kind.len()) + allocation(one.message.len()));
        allocation(size_of::<SpanAttributes>())
            + allocation(attributes.message_id.as_deref().map_or(0, str::len))
            + allocation(attributes.status_message.len())
            + allocation(size_of_val(&*attributes.links))
            + allocation(size_of_val(&*attributes.exceptions))
            + exceptions.sum::<usize>()
    }

    pub fn attributes(&self) -> &SpanAttributes {
        self.attributes.as_deref().unwrap_or(&NO_ATTRIBUTES)
    }

    /// Whether the Celery instrumentor made this consumer span.
    pub fn is_instrumented_run(&self) -> bool {
        self.kind == SpanKind::Consumer && self.attributes().action == Some(CeleryAction::Run)
    }

    /// Whether it is the instrumentor's span for several messages at once
    /// (`celery-batches`), which has no message id.
    pub fn is_batch_run(&self) -> bool {
        self.is_instrumented_run() && self.attributes().message_id.is_none()
    }

    pub fn service(&self) -> &str {
        &self.process.service
    }
}

/// What is kept of a span.
pub(super) fn stored(span: &Span<'_>, process: &Arc<Process>, request: u32, names: &mut Names) -> StoredSpan {
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
        attributes: attributes_of(span, names),
    }
}

/// The box, where there is anything to keep in it.
fn attributes_of(span: &Span<'_>, names: &mut Names) -> Option<Box<SpanAttributes>> {
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
    Some(Box::new(SpanAttributes {
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
