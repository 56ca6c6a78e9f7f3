//! Trace context as it is found in a message: where, in which form, and what it says or
//! what is wrong with it.

use serde::Serialize;

use super::{SpanId, TraceId};

/// A format of trace context.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContextFormat {
    /// `traceparent`: <https://www.w3.org/TR/trace-context-2/>.
    W3c,
    /// The single header `b3`: <https://github.com/openzipkin/b3-propagation#single-header>.
    B3,
    /// `x-b3-traceid` and its companions: <https://github.com/openzipkin/b3-propagation#multiple-headers>.
    B3Multi,
    /// `uber-trace-id`: <https://www.jaegertracing.io/sdk-migration/#propagation-format>.
    Jaeger,
    /// `ot-tracer-traceid` and its companions: OpenTracing's basic tracers.
    #[serde(rename = "ottrace")]
    OtTrace,
    /// `x-datadog-trace-id` and its companions, decimal ids.
    Datadog,
    /// `x-amzn-trace-id`: AWS X-Ray.
    XRay,
    /// `sentry-trace`.
    Sentry,
    /// `elasticapm.trace_parent_string` (and `elastic-apm-traceparent`): a
    /// `traceparent` under a name that only Elastic reads.
    Elastic,
    /// A trace id and a span id under names of the application's own.
    Ids,
}

impl ContextFormat {
    /// The name that reports use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::W3c => "w3c",
            Self::B3 => "b3",
            Self::B3Multi => "b3multi",
            Self::Jaeger => "jaeger",
            Self::OtTrace => "ottrace",
            Self::Datadog => "datadog",
            Self::XRay => "xray",
            Self::Sentry => "sentry",
            Self::Elastic => "elastic",
            Self::Ids => "ids",
        }
    }

    /// The format's name in `OTEL_PROPAGATORS`, if OpenTelemetry for Python has a
    /// propagator for it.
    pub const fn propagator(self) -> Option<&'static str> {
        match self {
            Self::W3c => Some("tracecontext"),
            Self::B3 => Some("b3"),
            Self::B3Multi => Some("b3multi"),
            Self::Jaeger => Some("jaeger"),
            Self::OtTrace => Some("ottrace"),
            Self::XRay => Some("xray"),
            Self::Datadog | Self::Sentry | Self::Elastic | Self::Ids => None,
        }
    }

    /// The package on PyPI with the propagator, if the SDK does not include it: without the
    /// package, a program whose `OTEL_PROPAGATORS` names it fails at the start.
    pub const fn package(self) -> Option<&'static str> {
        match self {
            Self::B3 | Self::B3Multi => Some("opentelemetry-propagator-b3"),
            Self::Jaeger => Some("opentelemetry-propagator-jaeger"),
            Self::OtTrace => Some("opentelemetry-propagator-ot-trace"),
            Self::XRay => Some("opentelemetry-propagator-aws-xray"),
            Self::W3c | Self::Datadog | Self::Sentry | Self::Elastic | Self::Ids => None,
        }
    }

    /// Whether a vendor's agent, or the application for its own purposes, writes this in
    /// addition to what OpenTelemetry reads, not instead of it. Such a context never
    /// conflicts with another.
    pub const fn is_vendor(self) -> bool {
        matches!(self, Self::Datadog | Self::XRay | Self::Sentry | Self::Elastic | Self::Ids)
    }
}

/// What the writer said about sampling.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Sampling {
    Sampled,
    NotSampled,
    /// Nothing was said: the reader decides (B3 without a flag).
    Deferred,
}

/// The identity that a valid context carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpanContext {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub sampling: Sampling,
}

/// Where in a message a context is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// Flat in `headers`, under the name that a propagator reads.
    Header,
    /// Flat in `headers`, under a name that differs only in case. A Python dict is no HTTP
    /// header map: the propagator does not find it.
    HeaderInOtherCase,
    /// In the object `headers.headers`.
    NestedHeaders,
    /// In a carrier of the application's own, `headers.<key>`.
    Carrier(Box<str>),
    /// Flat in `properties`, or in a carrier there.
    Property,
    /// In the positional or keyword arguments, or seen in `argsrepr` or `kwargsrepr` if the
    /// body cannot be read.
    Body,
}

/// How the context is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Encoding {
    /// A plain string under its own name, as propagators write it.
    Flat,
    /// An object whose members are the carrier's entries.
    Object,
    /// A JSON text whose object is the carrier (the article's way).
    JsonText,
    /// JSON inside JSON: a JSON text that holds a JSON text.
    JsonInJson,
    /// The `str()` of a Python dict: single quotes, no JSON.
    PythonRepr,
    /// A `{"__type__": "bytes"}` wrapper around any of these.
    Bytes,
    /// An array or another shape in which the entries can still be recognised.
    Other,
}

/// One context found in a message.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CarriedContext {
    /// The JSON path, such as `headers.traceparent` or `headers.trace_context.traceparent`.
    pub at: Box<str>,
    pub place: Place,
    pub encoding: Encoding,
    pub format: ContextFormat,
    /// The characters as they were written (for a multi-header format, those of the trace
    /// id header), at most [`CarriedContext::TEXT_LIMIT`] bytes of them.
    pub text: Box<str>,
    /// What a conforming reader of the format reads in it.
    pub reading: Result<SpanContext, Flaw>,
}

impl CarriedContext {
    /// The longest text that is kept of a value, in bytes. A `traceparent` has 55.
    pub const TEXT_LIMIT: usize = 256;

    /// The context, if a reader of the format would accept it.
    pub fn context(&self) -> Option<&SpanContext> {
        self.reading.as_ref().ok()
    }

    /// Whether the `CeleryInstrumentor` finds it, given the right propagator.
    pub fn is_flat_header(&self) -> bool {
        self.place == Place::Header && self.encoding == Encoding::Flat
    }
}

/// Why no conforming reader accepts a value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Flaw {
    pub kind: FlawKind,
    /// The wrong characters, as byte ranges of [`CarriedContext::text`].
    pub marks: Vec<Mark>,
}

/// Characters of a text, as a range of byte offsets on character borders.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Mark {
    pub start: usize,
    pub end: usize,
}

/// The kinds of flaw. The fix depends on them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlawKind {
    /// Hexadecimal digits in upper case, which W3C forbids.
    UpperCase,
    /// Ids written as decimal numbers.
    DecimalIds,
    /// A `0x` before an id: Python's `hex()`.
    HexPrefix,
    /// Too short, too long, or a field of a wrong length.
    WrongLength,
    /// A trace id or span id of zeros only.
    AllZero,
    /// The forbidden version `ff`.
    ForbiddenVersion,
    /// No flags field at the end.
    MissingFlags,
    /// Characters that are not hexadecimal digits.
    NotHexadecimal,
    /// Two values under one name, or joined by a comma.
    Doubled,
    /// `null`, a number, an object: not a text.
    NotText,
    /// A companion header is missing (`x-b3-spanid`).
    Incomplete,
    /// None of the above.
    Unrecognised,
}

impl FlawKind {
    /// The finding's variant.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UpperCase => "upper-case",
            Self::DecimalIds => "decimal-ids",
            Self::HexPrefix => "hex-prefix",
            Self::WrongLength => "wrong-length",
            Self::AllZero => "all-zero",
            Self::ForbiddenVersion => "forbidden-version",
            Self::MissingFlags => "missing-flags",
            Self::NotHexadecimal => "not-hexadecimal",
            Self::Doubled => "doubled",
            Self::NotText => "not-text",
            Self::Incomplete => "incomplete",
            Self::Unrecognised => "unrecognised",
        }
    }
}
