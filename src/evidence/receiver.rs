//! How requests to the receiver ended, including those that brought no spans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::memory_size::{allocation, in_tree};

/// How a request ended at the receiver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    Accepted,
    /// HTTP/2 with `application/grpc` on the HTTP port.
    GrpcOnHttpPort,
    /// OTLP over HTTP on the gRPC port.
    HttpOnGrpcPort,
    /// OTLP content posted to `/`.
    WithoutPath,
    /// Traces posted to a path that ends in `/v1/traces` and has more to it.
    OtherPath,
    /// Zipkin's `/api/v2/spans`.
    Zipkin,
    UnknownPath,
    UnknownContentType,
    UnknownEncoding,
    /// Over the limit, before or after decompression.
    TooLarge,
    Malformed,
    /// Refused for the moment because memory was short: the client comes again.
    Busy,
    /// Anything but POST where spans are accepted.
    WrongMethod,
    /// A page of another site that posts from a browser.
    ForeignOrigin,
    /// A client that speaks TLS to a port that has none.
    TlsOnPlainPort,
    /// First bytes that no supported client begins with.
    NotHttp,
    /// A request whose head or body did not come in time.
    TimedOut,
    /// A request whose client went away before it was whole.
    CutShort,
}

impl Outcome {
    pub const ALL: [Self; 18] = [
        Self::Accepted,
        Self::GrpcOnHttpPort,
        Self::HttpOnGrpcPort,
        Self::WithoutPath,
        Self::OtherPath,
        Self::Zipkin,
        Self::UnknownPath,
        Self::UnknownContentType,
        Self::UnknownEncoding,
        Self::TooLarge,
        Self::Malformed,
        Self::Busy,
        Self::WrongMethod,
        Self::ForeignOrigin,
        Self::TlsOnPlainPort,
        Self::NotHttp,
        Self::TimedOut,
        Self::CutShort,
    ];

    /// The name in `receiver.jsonl`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::GrpcOnHttpPort => "grpc-on-http-port",
            Self::HttpOnGrpcPort => "http-on-grpc-port",
            Self::WithoutPath => "without-path",
            Self::OtherPath => "other-path",
            Self::Zipkin => "zipkin",
            Self::UnknownPath => "unknown-path",
            Self::UnknownContentType => "unknown-content-type",
            Self::UnknownEncoding => "unknown-encoding",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::Busy => "busy",
            Self::WrongMethod => "wrong-method",
            Self::ForeignOrigin => "foreign-origin",
            Self::TlsOnPlainPort => "tls-on-plain-port",
            Self::NotHttp => "not-http",
            Self::TimedOut => "timed-out",
            Self::CutShort => "cut-short",
        }
    }

    /// The outcome with this name.
    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.label() == label)
    }
}

/// Which protocol an exporter speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OtlpProtocol {
    Grpc,
    Http,
}

/// Requests by how they ended.
#[derive(Default, Debug)]
pub struct ReceiverLog {
    /// How long a receiver was up; `None` if that is unknown.
    pub listened: Option<Duration>,
    /// Whether the saved evidence has a receiver's log, even an empty one: a receiver was
    /// up, though nobody knows for how long.
    pub is_kept: bool,
    /// Where it listens, or did; `None` if that is unknown.
    pub endpoints: Option<Endpoints>,
    outcomes: BTreeMap<Outcome, EndedRequests>,
}

/// Where a receiver takes OTLP, as URLs for its clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    pub grpc: String,
    pub http: String,
    /// Whether the programs have them in their environment already, because the receiver
    /// started them.
    pub are_told: bool,
}

/// The requests that ended in one way.
#[derive(Default, Debug)]
pub struct EndedRequests {
    pub count: u64,
    /// The `user-agent` of the clients, a few of them.
    pub agents: BTreeSet<Box<str>>,
    /// A few of the request lines, such as `POST /`.
    pub targets: BTreeSet<Box<str>>,
}

impl ReceiverLog {
    const NAMES: usize = 8;

    /// Counts a request, and keeps a few of the names that it came with.
    pub(super) fn record(&mut self, outcome: Outcome, agent: &str, target: &str) {
        let requests = self.outcomes.entry(outcome).or_default();
        requests.count += 1;
        for (names, name) in [(&mut requests.agents, agent), (&mut requests.targets, target)] {
            if !name.is_empty() && names.len() < Self::NAMES && !names.contains(name) {
                names.insert(name.into());
            }
        }
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let names =
            self.outcomes.values().flat_map(|requests| requests.agents.iter().chain(&requests.targets));
        let names = names.map(|name| in_tree(size_of::<Box<str>>()) + allocation(name.len()));
        self.outcomes.len() * in_tree(size_of::<(Outcome, EndedRequests)>()) + names.sum::<usize>()
    }

    pub fn of(&self, outcome: Outcome) -> Option<&EndedRequests> {
        self.outcomes.get(&outcome)
    }

    /// What the exporters that reach it speak: HTTP if all traces came over HTTP, otherwise
    /// gRPC, the default in Python.
    pub fn protocol(&self) -> OtlpProtocol {
        let Some(taken) = self.of(Outcome::Accepted) else { return OtlpProtocol::Grpc };
        let is_grpc = taken.agents.iter().any(|agent| agent.to_ascii_lowercase().contains("grpc"))
            || taken.targets.iter().any(|target| target.contains("TraceService"));
        let is_http = taken.targets.iter().any(|target| target.ends_with("/v1/traces"));
        if is_http && !is_grpc { OtlpProtocol::Http } else { OtlpProtocol::Grpc }
    }

    /// All requests, however they ended.
    pub fn total(&self) -> u64 {
        self.outcomes.values().map(|requests| requests.count).sum()
    }
}
