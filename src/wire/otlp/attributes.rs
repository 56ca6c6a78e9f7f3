//! The meaning of the attributes that diagnoses read, in both encodings.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::model::{AttributeValue, CeleryAction, Exception, Invalid, Resource, Span, Timestamp};
use crate::wire::url::without_secrets;

/// The longest exception message that is kept, in bytes.
const MESSAGE: usize = 512;
/// The longest name that is kept (of a service, a task, a host), in bytes. An attribute may
/// have any length, and names count as memory.
const NAME: usize = 256;
/// The longest span name that is kept, in bytes. It may be a whole SQL statement.
const SPAN_NAME: usize = 1024;
/// How many exceptions of a span are kept.
pub const EXCEPTIONS: usize = 8;
/// How many links of a span are kept: OpenTelemetry's own `SpanLinkCountLimit`
/// (<https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits>).
pub const LINKS: usize = 128;

/// Saved evidence keeps the hash of a span's whole content under this name.
pub const FINGERPRINT: &str = "tracelink.fingerprint";

/// Fills a span from its attributes, one after the other.
pub fn fill<'a>(span: &mut Span<'a>, key: &str, value: AttributeValue<'a>) {
    span.fingerprint = span.fingerprint.wrapping_add(hash(key, &value));
    match key {
        "celery.action" => {
            span.action = match value.as_text() {
                Some("apply_async") => Some(CeleryAction::ApplyAsync),
                Some("run") => Some(CeleryAction::Run),
                _ => None,
            }
        }
        "celery.task_name" => span.task = text(value),
        "messaging.message.id" | "messaging.message_id" => span.message_id = text(value),
        "messaging.destination" | "messaging.destination.name" => span.destination = text(value),
        "celery.exchange" => span.exchange = text(value),
        "celery.hostname" => span.celery_hostname = text(value),
        "celery.state" => match value.as_text() {
            Some("RETRY") => span.will_retry = true,
            Some("REJECTED") => span.rejected = true,
            _ => {}
        },
        "celery.retries" | "task.retry_count" => span.retries = count(&value),
        "celery.delivery_info" => {
            // The repr of a Python dict.
            span.redelivered = value.as_text().is_some_and(|info| info.contains("'redelivered': True"));
        }
        "task.will_retry" => span.will_retry |= value == AttributeValue::Bool(true),
        "celery.retry.reason" => span.will_retry = true,
        "http.response.status_code" | "http.status_code" => {
            span.http_status = count(&value).and_then(|status| u16::try_from(status).ok());
        }
        "messaging.system" | "db.system" | "db.system.name" | "rpc.system" if span.system.is_none() => {
            span.system = text(value);
        }
        "db.operation" | "db.operation.name" => span.operation = text(value),
        FINGERPRINT => span.whole = hash_of(&value),
        "logfire.span_type" => span.is_pending = value.as_text() == Some("pending_span"),
        "peer.service" => span.peer = text(value),
        "server.address" | "net.peer.name" if span.peer.is_none() => span.peer = text(value),
        _ => {}
    }
}

fn text(value: AttributeValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        // In this order: a URL that is cut in its password shows no `@` that ends one.
        AttributeValue::Text(text) => Some(first_part(without_secrets(text), NAME)),
        _ => None,
    }
}

/// The start of a text, of at most this many bytes.
fn first_part(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..text.floor_char_boundary(limit)]),
        Cow::Owned(mut text) => {
            text.truncate(text.floor_char_boundary(limit));
            Cow::Owned(text)
        }
    }
}

/// The start of a status message.
pub fn status_message(message: Cow<'_, str>) -> Cow<'_, str> {
    first_part(message, MESSAGE)
}

fn count(value: &AttributeValue<'_>) -> Option<u32> {
    match value {
        AttributeValue::Int(number) => u32::try_from(*number).ok(),
        AttributeValue::Text(text) => text.parse().ok(),
        _ => None,
    }
}

#[allow(clippy::cast_sign_loss, reason = "a hash is 64 bits, which OTLP has as a signed integer")]
fn hash_of(value: &AttributeValue<'_>) -> Option<u64> {
    match value {
        AttributeValue::Int(hash) => Some(*hash as u64),
        _ => None,
    }
}

/// A hash that is the same for the same attribute in either encoding.
fn hash(key: &str, value: &AttributeValue<'_>) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    match value {
        AttributeValue::Text(text) => text.hash(&mut hasher),
        AttributeValue::Bool(flag) => flag.hash(&mut hasher),
        AttributeValue::Int(number) => number.hash(&mut hasher),
        AttributeValue::Double(number) => number.to_bits().hash(&mut hasher),
        AttributeValue::Other => 0_u8.hash(&mut hasher),
    }
    hasher.finish()
}

/// Finishes a span: its fingerprint, and what is wrong with its times.
pub fn finish(span: &mut Span<'_>, events: usize) {
    let mut hasher = FxHasher::default();
    (
        span.parent_id,
        &*span.name,
        span.kind as u8,
        span.start,
        span.end,
        span.status as u8,
        events,
        span.links.len(),
    )
        .hash(&mut hasher);
    span.fingerprint = span.whole.unwrap_or_else(|| span.fingerprint.wrapping_add(hasher.finish()));
    span.name = without_secrets(std::mem::take(&mut span.name));
    if span.flaw.is_none() && (span.end < span.start || span.start == Timestamp::UNSET) {
        span.flaw = Some(Invalid::Times);
    }
    // Nothing may be concluded from times that run backwards.
    span.end = span.end.max(span.start);
    span.name = first_part(std::mem::take(&mut span.name), SPAN_NAME);
}

/// The exception of an event, by its attributes.
#[derive(Default)]
pub struct ExceptionEvent<'a> {
    kind: Cow<'a, str>,
    message: Cow<'a, str>,
}

impl<'a> ExceptionEvent<'a> {
    pub fn fill(&mut self, key: &str, value: AttributeValue<'a>) {
        match (key, value) {
            ("exception.type", AttributeValue::Text(kind)) => self.kind = kind,
            ("exception.message", AttributeValue::Text(message)) => self.message = message,
            _ => {}
        }
    }

    pub fn finish(self) -> Option<Exception> {
        const KIND: usize = 128;
        let (kind, message) = raised(&self.kind, &self.message);
        let kind = kind.rsplit('.').next().unwrap_or_default();
        (!kind.is_empty()).then(|| Exception {
            kind: kind[..kind.floor_char_boundary(KIND)].into(),
            message: message[..message.floor_char_boundary(MESSAGE)].into(),
        })
    }
}

/// The class and the message of what was raised. Older Celery instrumentors (0.41b0, for
/// one) record billiard's wrapper, whose message is the whole traceback. Both are in its
/// last line.
fn raised<'t>(kind: &'t str, message: &'t str) -> (&'t str, &'t str) {
    let is_path = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
    };
    let last = message.trim_end().lines().next_back().unwrap_or_default();
    let (class, said) = last.split_once(": ").unwrap_or((last, ""));
    if kind == "ExceptionInfo" && is_path(class) { (class, said) } else { (kind, message) }
}

/// Fills a resource from its attributes.
pub fn fill_resource<'a>(resource: &mut Resource<'a>, key: &str, value: AttributeValue<'a>) {
    match (key, value) {
        ("process.pid", AttributeValue::Int(pid)) => resource.pid = Some(pid),
        ("telemetry.auto.version", AttributeValue::Text(_)) => resource.is_zero_code = true,
        (_, AttributeValue::Text(name)) => {
            let place = match key {
                "service.name" => {
                    resource.service = first_part(name, NAME);
                    return;
                }
                "service.instance.id" => &mut resource.instance,
                "telemetry.sdk.language" => &mut resource.language,
                "telemetry.sdk.version" => &mut resource.sdk_version,
                "host.name" => &mut resource.host,
                "telemetry.distro.name" => &mut resource.distribution,
                "logfire.version" => {
                    resource.distribution = Some("logfire".into());
                    return;
                }
                _ => return,
            };
            *place = Some(first_part(name, NAME));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_are_cut() {
        let long = || AttributeValue::Text("é".repeat(1 << 20).into());
        let mut resource = Resource::default();
        for key in ["service.name", "service.instance.id", "host.name"] {
            fill_resource(&mut resource, key, long());
        }
        let mut span = Span::default();
        for key in ["celery.task_name", "messaging.message.id", "peer.service"] {
            fill(&mut span, key, long());
        }
        span.name = "é".repeat(1 << 20).into();
        finish(&mut span, 0);
        assert_eq!(span.name.len(), SPAN_NAME);
        let [instance, host, task, id, peer] =
            [resource.instance, resource.host, span.task, span.message_id, span.peer];
        for name in [Some(resource.service), instance, host, task, id, peer] {
            assert_eq!(name.expect("filled").len(), NAME);
        }
    }

    #[test]
    fn a_url_that_is_too_long_keeps_no_part_of_its_password() {
        let url = format!("http://user:{}@host/a", "s3cret".repeat(NAME));
        let mut span = Span::default();
        fill(&mut span, "server.address", AttributeValue::Text(url.into()));
        assert_eq!(span.peer.as_deref(), Some("http://host/a"));
    }

    #[test]
    fn a_wrapper_stands_for_what_was_raised() {
        let exception = |kind: &'static str, message: &'static str| {
            ExceptionEvent { kind: kind.into(), message: message.into() }.finish().expect("an exception")
        };
        let found = exception(
            "ExceptionInfo",
            "Traceback (most recent call last):\n  raise\nshop.errors.Empty: no stock\n",
        );
        assert_eq!((&*found.kind, &*found.message), ("Empty", "no stock"));
        assert_eq!(&*exception("ExceptionInfo", "Traceback:\nKeyError").kind, "KeyError");
        assert_eq!(&*exception("ExceptionInfo", "").kind, "ExceptionInfo");
        let plain = exception("shop.errors.Empty", "a: b");
        assert_eq!((&*plain.kind, &*plain.message), ("Empty", "a: b"));
    }
}
