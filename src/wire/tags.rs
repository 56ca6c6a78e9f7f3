//! What OpenTelemetry writes into tags if a format has no field for it: spans of Jaeger and
//! Zipkin (<https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/>).

use std::borrow::Cow;

use super::json::Loose;
use crate::model::{AttributeValue, Scope, Span, SpanId, SpanKind, SpanStatus, Timestamp, TraceId};
use crate::wire::otlp::attributes;

/// A span that is read from tags, and what else they say.
#[derive(Default)]
pub struct Tagged<'a> {
    pub span: Span<'a>,
    pub scope: Scope<'a>,
    /// `error`, which counts if there is no status.
    is_error: bool,
}

impl<'a> Tagged<'a> {
    /// Takes one tag.
    pub fn fill(&mut self, key: &str, value: AttributeValue<'a>) {
        match (key, value) {
            ("span.kind", AttributeValue::Text(kind)) => {
                if let Some(kind) = kind_of(&kind) {
                    self.span.kind = kind;
                }
            }
            ("otel.status_code", AttributeValue::Text(code)) => {
                self.span.status = match &*code {
                    code if code.eq_ignore_ascii_case("ok") => SpanStatus::Ok,
                    code if code.eq_ignore_ascii_case("error") => SpanStatus::Error,
                    _ => SpanStatus::Unset,
                }
            }
            ("otel.status_description", AttributeValue::Text(message)) => {
                self.span.status_message = attributes::status_message(message);
            }
            ("error", AttributeValue::Bool(is_error)) => self.is_error = is_error,
            ("error", AttributeValue::Text(error)) => self.is_error = error != "false",
            ("w3c.tracestate", AttributeValue::Text(state)) => self.span.trace_state = state,
            ("otel.scope.name" | "otel.library.name", AttributeValue::Text(name)) => self.scope.name = name,
            ("otel.scope.version" | "otel.library.version", AttributeValue::Text(version)) => {
                self.scope.version = version;
            }
            (key, value) => attributes::fill(&mut self.span, key, value),
        }
    }

    /// Finishes the span, as for a span of OTLP.
    pub fn finish(mut self, events: usize) -> (Span<'a>, Scope<'a>) {
        if self.span.status == SpanStatus::Unset && self.is_error {
            self.span.status = SpanStatus::Error;
        }
        attributes::finish(&mut self.span, events);
        (self.span, self.scope)
    }
}

/// A kind by its name, in either case.
pub fn kind_of(name: &str) -> Option<SpanKind> {
    [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer]
        .into_iter()
        .find(|kind| kind.label().eq_ignore_ascii_case(name))
}

/// A trace id in hexadecimal. Older clients leave out leading zeros, or use 64 bits.
pub fn trace_id(text: &str) -> Option<TraceId> {
    TraceId::parse_hex(padded(text, 32).as_bytes()).filter(|id| !id.is_zero())
}

/// A span id in hexadecimal. Older clients leave out leading zeros.
pub fn span_id(text: &str) -> Option<SpanId> {
    SpanId::parse_hex(padded(text, 16).as_bytes()).filter(|id| !id.is_zero())
}

/// The span's times, from its start and its duration in microseconds.
pub fn times(start: &Loose<'_>, duration: &Loose<'_>) -> (Timestamp, Timestamp) {
    let nanos = |micros: &Loose<'_>| match micros {
        // Grafana has milliseconds in a double, and multiplies them. What is below zero is no time.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
        Loose::Double(micros) => (micros * 1_000.0).round() as u64,
        micros => {
            micros.int().and_then(|micros| u64::try_from(micros).ok()).unwrap_or(0).saturating_mul(1_000)
        }
    };
    let start = nanos(start);
    (Timestamp::from_nanos(start), Timestamp::from_nanos(start.saturating_add(nanos(duration))))
}

/// An id, padded with zeros to `length` digits.
fn padded(id: &str, length: usize) -> Cow<'_, str> {
    if id.len() >= length || id.is_empty() {
        Cow::Borrowed(id)
    } else {
        Cow::Owned(format!("{id:0>length$}"))
    }
}

#[cfg(test)]
pub mod tests {
    use crate::model::{Invalid, Resource, Scope, Span};
    use crate::wire::otlp::Sink;

    /// What a decoder tells, a line each.
    #[derive(Default)]
    pub struct Told {
        pub lines: Vec<String>,
    }

    impl Sink for Told {
        fn resource(&mut self, resource: &Resource<'_>) {
            let language = resource.language.as_deref().unwrap_or("?");
            self.lines.push(format!("{} {language} {:?}", resource.service, resource.pid));
        }

        fn scope(&mut self, scope: &Scope<'_>) {
            self.lines.push(scope.name.to_string());
        }

        fn span(&mut self, span: &Span<'_>) {
            let parent = span.parent_id.map_or_else(|| "none".to_owned(), |id| id.to_string());
            let links: Vec<_> = span.links.iter().map(|link| link.trace_id.to_string()).collect();
            let raised: Vec<_> = span.exceptions.iter().map(|exception| &*exception.kind).collect();
            self.lines.push(format!(
                "{} {:?} {} below {parent}, {} ns, {:?}, {} {:?}, [{}], [{}]",
                span.name,
                span.kind,
                span.span_id,
                span.end.since(span.start).as_nanos(),
                span.status,
                span.task.as_deref().unwrap_or("?"),
                span.retries,
                links.join(" "),
                raised.join(" "),
            ));
        }

        fn refused(&mut self, why: Invalid, at: &str) {
            self.lines.push(format!("{} at {at}", why.label()));
        }
    }
}
