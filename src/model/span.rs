//! A span as OTLP brings it, borrowed from its request.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::exception::redacted_status;
use super::{Exception, SpanContext, SpanId, Timestamp, TraceId};

/// <https://opentelemetry.io/docs/specs/otel/trace/api/#spankind>
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum SpanKind {
    #[default]
    Unspecified,
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl SpanKind {
    /// From the OTLP enum; unknown numbers are `Unspecified`.
    pub const fn from_otlp(number: i32) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SpanStatus {
    #[default]
    Unset,
    Ok,
    Error,
}

impl SpanStatus {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// What `Span.flags` says about the parent: bit 8 says that its origin is known, bit 9 that
/// it is remote (<https://opentelemetry.io/docs/specs/otel/protocol/otlp/>, `SpanFlags`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ParentOrigin {
    /// The exporter does not say (Python before 1.27).
    #[default]
    Unknown,
    /// No parent, or one in the same process.
    Local,
    /// A parent that came in with a carrier.
    Remote,
}

impl ParentOrigin {
    pub const fn from_flags(flags: u32) -> Self {
        match flags & 0x300 {
            0x100 => Self::Local,
            0x300 => Self::Remote,
            _ => Self::Unknown,
        }
    }
}

/// An attribute's value, as far as diagnoses and people care.
#[derive(Clone, PartialEq, Debug)]
pub enum AttributeValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// An array, a map or bytes: present, but not read.
    Other,
}

impl AttributeValue<'_> {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The process that sent a span.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Resource<'a> {
    /// `service.name`.
    pub service: Cow<'a, str>,
    /// `service.instance.id`, one value a process since Python's SDK 1.40.
    pub instance: Option<Cow<'a, str>>,
    /// `telemetry.sdk.language`.
    pub language: Option<Cow<'a, str>>,
    /// `telemetry.sdk.version`.
    pub sdk_version: Option<Cow<'a, str>>,
    /// `process.pid`, if a resource detector adds it.
    pub pid: Option<i64>,
    /// `host.name`.
    pub host: Option<Cow<'a, str>>,
    /// A distribution of OpenTelemetry that sets propagators by itself, according to its
    /// own attribute or to `telemetry.distro.name`.
    pub distribution: Option<Cow<'a, str>>,
    /// Whether a launcher set OpenTelemetry up, such as `opentelemetry-instrument`:
    /// `telemetry.auto.version`.
    pub is_zero_code: bool,
}

/// The instrumentation scope.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Scope<'a> {
    pub name: Cow<'a, str>,
    pub version: Cow<'a, str>,
}

/// `celery.action`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CeleryAction {
    ApplyAsync,
    Run,
}

/// What is wrong with a span that was refused, or kept all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Invalid {
    /// A trace id that is not 16 bytes, or all zero.
    TraceId,
    /// A span id that is not 8 bytes, or all zero.
    SpanId,
    /// A parent id that is there and not 8 bytes.
    ParentId,
    /// It ends before it starts, or starts at the epoch.
    Times,
    /// A required field is missing or of a wrong type (OTLP/JSON).
    Shape,
}

impl Invalid {
    pub const fn label(self) -> &'static str {
        match self {
            Self::TraceId => "trace-id",
            Self::SpanId => "span-id",
            Self::ParentId => "parent-id",
            Self::Times => "times",
            Self::Shape => "shape",
        }
    }
}

/// One span with valid ids, borrowed from the bytes of its request.
///
/// The attributes that diagnoses read have fields of their own, so that the decoder looks
/// at each key once and nobody searches a list.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Span<'a> {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    /// `None` where the span is a root.
    pub parent_id: Option<SpanId>,
    pub parent_origin: ParentOrigin,
    pub kind: SpanKind,
    pub name: Cow<'a, str>,
    pub start: Timestamp,
    pub end: Timestamp,
    pub status: SpanStatus,
    pub status_message: Cow<'a, str>,
    pub links: SmallVec<[SpanContext; 1]>,
    /// `tracestate`, as it was sent on.
    pub trace_state: Cow<'a, str>,
    /// Exception events, in their order.
    pub exceptions: Vec<Exception>,

    /// `celery.action`.
    pub action: Option<CeleryAction>,
    /// `celery.task_name`.
    pub task: Option<Cow<'a, str>>,
    /// `messaging.message.id`, before 0.45b0 `messaging.message_id`.
    pub message_id: Option<Cow<'a, str>>,
    /// `messaging.destination` or `messaging.destination.name`.
    pub destination: Option<Cow<'a, str>>,
    /// `celery.exchange`, or the exchange in `celery.delivery_info`.
    pub exchange: Option<Cow<'a, str>>,
    /// `celery.hostname`: the producer's `origin`, with protocol 1 the worker's.
    pub celery_hostname: Option<Cow<'a, str>>,
    /// `celery.retries`, or `task.retry_count` of a hand-made span.
    pub retries: Option<u32>,
    /// `celery.delivery_info` says `'redelivered': True`.
    pub redelivered: bool,
    /// `task.will_retry` is true, or `celery.state` is `RETRY`, or
    /// `celery.retry.reason` is there.
    pub will_retry: bool,
    /// `celery.state` is `REJECTED`: the task returned its message, or discarded it.
    pub rejected: bool,
    /// The first of `messaging.system`, `db.system` and `rpc.system` that is present.
    pub system: Option<Cow<'a, str>>,
    /// `db.operation.name` or `db.operation`: which command, without its arguments.
    pub operation: Option<Cow<'a, str>>,
    /// `server.address`, `net.peer.name` or `peer.service` with its port.
    pub peer: Option<Cow<'a, str>>,
    /// `http.response.status_code` or `http.status_code`.
    pub http_status: Option<u16>,
    /// A hash of the span's whole content, to tell a resend from another span with the same
    /// id. Saved evidence holds a part of the content, and the hash of the whole.
    pub fingerprint: u64,
    /// The hash of the whole content, as a saved span states it.
    pub whole: Option<u64>,
    /// `logfire.span_type` is `pending_span`: a notice that a span has begun, with an id of
    /// its own, which its exporter sends ahead of the span.
    pub is_pending: bool,
    /// A flaw that does not keep the span out of the tree.
    pub flaw: Option<Invalid>,
}

impl Span<'_> {
    /// The span without the application's texts in its exceptions and its status. `None` if
    /// there is nothing to leave out.
    pub fn redacted(&self) -> Option<Self> {
        let has_words = !self.exceptions.is_empty() || !self.status_message.is_empty();
        has_words.then(|| Self {
            exceptions: self.exceptions.iter().map(Exception::redacted).collect(),
            status_message: redacted_status(&self.status_message).into(),
            ..self.clone()
        })
    }

    /// Whether a consumer span without a task's id, or a hand-made PRODUCER span, may
    /// belong to a Celery task. A span whose system is Kafka does not.
    pub fn may_be_celery(&self) -> bool {
        self.system.as_deref().is_none_or(|system| matches!(system, "celery" | "redis" | ""))
    }
}
