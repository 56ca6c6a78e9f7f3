//! What the ports hand over, and the trait of whoever takes it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::evidence::Outcome;

/// The telemetry that a request carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The path of OTLP/HTTP.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// The path of OTLP/gRPC.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }

    /// The name of the count of rejected records in JSON.
    pub(super) const fn rejected(self) -> &'static str {
        match self {
            Self::Traces => "rejectedSpans",
            Self::Metrics => "rejectedDataPoints",
            Self::Logs => "rejectedLogRecords",
        }
    }
}

/// How a body is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OtlpEncoding {
    Protobuf,
    Json,
}

impl OtlpEncoding {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// How a request was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    Grpc,
    Http,
}

impl Transport {
    /// The name in `receiver.jsonl`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

/// Which protocols a port accepts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PortKind {
    Grpc,
    Http,
    Both,
}

/// The body of one request, decompressed, and who sent it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    pub signal: Signal,
    pub encoding: OtlpEncoding,
    pub transport: Transport,
    pub peer: SocketAddr,
    /// The `user-agent`, hostile like the rest; empty where there is none.
    pub agent: &'r str,
    /// At most [`ReceiverLimits::request`](super::ReceiverLimits::request) bytes. A clone
    /// keeps the bytes after their reservation in the budget has ended.
    pub body: &'r Bytes,
}

/// What happened to the content of a request. Anything but the default is returned to the
/// client as `partial_success`, and the client does not send it again.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Receipt {
    /// Spans, data points or log records that were not accepted.
    pub rejected: u64,
    /// Why, or a warning where nothing was rejected; in English.
    pub message: String,
}

/// Why nothing of a request was accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is not valid OTLP: HTTP 400, gRPC `INVALID_ARGUMENT`.
    Malformed(String),
    /// The receiver is busy: HTTP 429, gRPC `UNAVAILABLE`, both with the time to wait.
    Busy { retry_after: Duration },
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'r> {
    pub outcome: Outcome,
    pub transport: Transport,
    /// The kind of port that the request came to.
    pub port: PortKind,
    pub peer: SocketAddr,
    /// The `user-agent`, hostile; empty where there is none.
    pub agent: &'r str,
    /// The request line, such as `POST /v1/traces`: hostile, a few hundred bytes at most.
    /// Empty where nothing readable came.
    pub target: &'r str,
}

/// The outcome of a request: a [`Refusal`] where nothing of it was accepted.
pub type Taken<'i> = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send + 'i>>;

/// Takes the requests that come in.
pub trait Inbox: Send + Sync + 'static {
    /// Takes a request. It is called on one of the runtime's two threads, so anything
    /// slow is awaited and not done there. The receiver awaits it to its end even if the
    /// client goes away.
    fn take<'i>(&'i self, request: &'i Request<'i>) -> Taken<'i>;

    /// Hears how a request ended: whether it was accepted, refused, or sent in a wrong
    /// way. It is called once the answer is decided, before that is written.
    fn ended(&self, ended: &Ended<'_>);
}
