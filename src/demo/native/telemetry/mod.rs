//! A small tracer: the part of OpenTelemetry's SDK that the demo's processes need, with the
//! flags and the header formats of Python's.
//!
//! It has no current span: a parent is either passed on or not.

mod context;
mod export;
mod propagate;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, Status, span, status};

use super::setup::{Propagator, Sampler, Telemetry};
use crate::demo::clock;
pub use context::Context;
use export::Batch;
pub use propagate::Carrier;

/// The parent of a span.
#[derive(Clone, Copy, Debug)]
pub enum Parent {
    None,
    Local(Context),
    /// It came in with a carrier.
    Remote(Context),
}

impl Parent {
    fn context(self) -> Option<Context> {
        match self {
            Self::None => None,
            Self::Local(context) | Self::Remote(context) => Some(context),
        }
    }
}

/// Span.flags as Python's exporter sets them: the parent's origin is known.
const ORIGIN_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// Makes spans, and sends them on when they end.
#[derive(Clone, Debug)]
pub struct Tracer {
    enabled: bool,
    sampler: Sampler,
    propagators: Vec<Propagator>,
    batches: Vec<Batch>,
    flushes_at_exit: bool,
}

impl Tracer {
    pub fn new(settings: &Telemetry) -> Self {
        let resource = Resource {
            attributes: vec![
                attribute("telemetry.sdk.language", "rust"),
                attribute("telemetry.sdk.name", "tracelink-demo"),
                attribute("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
                attribute("service.instance.id", uuid()),
                attribute("service.name", &*settings.service),
            ],
            ..Resource::default()
        };
        let processors = if settings.sdk { settings.exporter.processors } else { 0 };
        let batches = (0..processors).map(|_| Batch::start(&settings.exporter, &resource)).collect();
        Self {
            enabled: settings.sdk,
            sampler: settings.sampler,
            propagators: settings.propagators.clone(),
            batches,
            flushes_at_exit: settings.exporter.flushes_at_exit,
        }
    }

    /// Starts a span. Without an SDK the span is never exported and has no context to
    /// inject.
    pub fn start(&self, scope: &'static str, kind: span::SpanKind, name: &str, parent: Parent) -> OpenSpan {
        let above = parent.context();
        let trace_id = above.map_or_else(|| fastrand::u128(1..), |above| above.trace_id);
        let sampled = match self.sampler {
            Sampler::ParentBased => above.is_none_or(|above| above.sampled),
            Sampler::Off => false,
            Sampler::Ratio(ratio) => is_below(trace_id, ratio),
        };
        let remote = if matches!(parent, Parent::Remote(_)) { PARENT_IS_REMOTE } else { 0 };
        let parent_id = above.map_or(0, |above| above.span_id);
        let context = Context { trace_id, span_id: fastrand::u64(1..), parent_id, sampled };
        let span = Span {
            trace_id: trace_id.to_be_bytes().to_vec(),
            span_id: context.span_id.to_be_bytes().to_vec(),
            parent_span_id: above.map(|above| above.span_id.to_be_bytes().to_vec()).unwrap_or_default(),
            flags: ORIGIN_KNOWN | remote,
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: clock::nanos(),
            status: Some(Status::default()),
            ..Span::default()
        };
        OpenSpan { tracer: self.clone(), scope, context, span }
    }

    /// Writes a context as the propagators do.
    pub fn inject(&self, context: Option<Context>, carrier: &mut Carrier) {
        if let Some(context) = context.filter(|_| self.enabled) {
            propagate::inject(&self.propagators, context, carrier);
        }
    }

    /// Reads the formats of the propagators. The last one that finds a context wins, as in
    /// OpenTelemetry's composite propagator.
    pub fn extract(&self, carrier: &Carrier) -> Option<Context> {
        propagate::extract(&self.propagators, carrier)
    }

    /// Sends what is left, if the provider is shut down at exit.
    pub fn shut_down(&self) {
        if self.flushes_at_exit {
            self.batches.iter().for_each(Batch::flush);
        }
    }
}

/// Whether a ratio sampler keeps a trace: its low 64 bits decide.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a ratio of ids")]
fn is_below(trace_id: u128, ratio: f64) -> bool {
    (trace_id as u64) as f64 <= ratio * u64::MAX as f64
}

/// A span that has begun. If it is dropped without [`OpenSpan::end`], it leaks and is never
/// exported.
#[derive(Debug)]
pub struct OpenSpan {
    tracer: Tracer,
    scope: &'static str,
    context: Context,
    span: Span,
}

impl OpenSpan {
    /// What can be injected: nothing without an SDK.
    pub fn context(&self) -> Option<Context> {
        self.tracer.enabled.then_some(self.context)
    }

    /// As the parent of a span in the same process.
    pub fn as_parent(&self) -> Parent {
        self.context().map_or(Parent::None, Parent::Local)
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.span.attributes.push(attribute(key, value));
    }

    pub fn link(&mut self, to: Context) {
        self.span.links.push(span::Link {
            trace_id: to.trace_id.to_be_bytes().to_vec(),
            span_id: to.span_id.to_be_bytes().to_vec(),
            flags: ORIGIN_KNOWN | PARENT_IS_REMOTE,
            ..span::Link::default()
        });
    }

    /// Records an exception event.
    pub fn record(&mut self, kind: &str, message: &str, stacktrace: &str) {
        self.span.events.push(span::Event {
            time_unix_nano: clock::nanos(),
            name: "exception".to_owned(),
            attributes: vec![
                attribute("exception.type", kind),
                attribute("exception.message", message),
                attribute("exception.stacktrace", stacktrace),
                attribute("exception.escaped", "False"),
            ],
            ..span::Event::default()
        });
    }

    pub fn fail(&mut self, message: &str) {
        self.span.status =
            Some(Status { message: message.to_owned(), code: status::StatusCode::Error.into() });
    }

    pub fn end(mut self) {
        self.span.end_time_unix_nano = clock::nanos();
        if self.context.sampled {
            self.tracer.batches.iter().for_each(|batch| batch.add(self.scope, self.span.clone()));
        }
    }
}

/// A value of an attribute.
#[derive(Debug)]
pub struct Value(any_value::Value);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(any_value::Value::StringValue(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(any_value::Value::StringValue(text))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self(any_value::Value::IntValue(number))
    }
}

fn attribute(key: &str, value: impl Into<Value>) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value.into().0) }),
        ..KeyValue::default()
    }
}

/// A random UUID: <https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4>.
pub fn uuid() -> String {
    let random = fastrand::u128(..) & !(0xf000_u128 << 64) & !(0b11_u128 << 62) | (4 << 76) | (0b10 << 62);
    let hex = format!("{random:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_four() {
        for _ in 0..1000 {
            let id = uuid();
            assert_eq!(id.len(), 36, "{id}");
            assert_eq!(id.as_bytes()[14], b'4', "{id}");
            assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
    }

    #[test]
    fn a_ratio_asks_the_low_bits_only() {
        assert!(is_below(u128::MAX << 64, 0.5));
        assert!(!is_below(u128::from(u64::MAX), 0.5));
        assert!(is_below(u128::from(u64::MAX), 1.0));
    }
}
