//! What passes between the ports and whoever keeps what comes in.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::evidence::Outcome;

/// What a request carries.
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

    /// The count of a partial success in JSON.
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
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// How a request came.
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

/// What a port takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PortKind {
    Grpc,
    Http,
    Both,
}

/// One request's body, decompressed, with who sent it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    pub signal: Signal,
    pub encoding: Encoding,
    pub transport: Transport,
    pub peer: SocketAddr,
    /// The `user-agent`, hostile like all of it; empty where there is none.
    pub agent: &'r str,
    /// At most [`ReceiverLimits::request`](super::ReceiverLimits::request) bytes. A clone of it
    /// keeps the bytes beyond their place in the budget.
    pub body: &'r Bytes,
}

/// What became of a request's content. Anything but the default is told to the
/// client as `partial_success`, which it does not send again.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Receipt {
    /// Spans, data points or log records that were not taken.
    pub rejected: u64,
    /// Why, or a warning where nothing was rejected; in English.
    pub message: String,
}

/// Why nothing of a request was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is not what it says it is: HTTP 400, gRPC `INVALID_ARGUMENT`.
    Malformed(String),
    /// Not now: HTTP 429, gRPC `UNAVAILABLE`, both with the time to wait.
    Busy { retry_after: Duration },
}

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'r> {
    pub outcome: Outcome,
    pub transport: Transport,
    /// What the port takes that it came to.
    pub port: PortKind,
    pub peer: SocketAddr,
    /// The `user-agent`, hostile; empty where there is none.
    pub agent: &'r str,
    /// What was asked for, such as `POST /v1/traces`: hostile, a few hundred
    /// bytes at most. Empty where nothing came that could be read.
    pub target: &'r str,
}

/// What becomes of a request: a [`Refusal`] where nothing of it was taken.
pub type Taken<'i> = Pin<Box<dyn Future<Output = Result<Receipt, Refusal>> + Send + 'i>>;

/// Takes what comes in.
pub trait Inbox: Send + Sync + 'static {
    /// Takes a request. Called on one of the runtime's two threads, so that whatever
    /// takes long is awaited and not done there. It is awaited to its end even where
    /// the client goes away.
    fn take<'i>(&'i self, request: &'i Request<'i>) -> Taken<'i>;

    /// Hears how a request ended, after the answer was decided and before it is
    /// written: of each that was taken, refused, or came a wrong way.
    fn ended(&self, ended: &Ended<'_>);
}
