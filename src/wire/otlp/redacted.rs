//! Writes what diagnoses read of a request as a line of OTLP/JSON: one span at a time, so
//! that memory does not grow with the request.
//!
//! A span is written with its ids, times, kind, name, status code and links, and with the
//! attributes that `attributes.rs` reads, under today's semantic conventions. Everything
//! else is left out. Reading it back gives the same evidence.

use std::hash::BuildHasher;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::Sink;
use super::attributes::FINGERPRINT;
use crate::model::{
    CeleryAction, HIDDEN, Invalid, ParentOrigin, Resource, Sampling, Scope, Span, SpanContext, SpanKind,
    SpanStatus, Timestamp,
};
use crate::wire::context::baggage;

/// Gathers pieces in a few kilobytes.
type Out<'w> = BufWriter<&'w mut dyn Write>;

/// A request that is written while it is decoded.
pub struct Redacted<'w, S> {
    /// A span is some forty short pieces, which are gathered before the writer sees them.
    out: Out<'w>,
    /// The hash of the whole content must not help to guess what was left out, so it is
    /// hashed again with a key that nobody keeps.
    key: &'w S,
    /// How many elements the open list has so far, and whether a list is open.
    resources: usize,
    scopes: Option<usize>,
    spans: Option<usize>,
    failed: Option<io::Error>,
}

impl<'w, S: BuildHasher> Redacted<'w, S> {
    /// Begins a request.
    pub fn new(out: &'w mut dyn Write, key: &'w S) -> Self {
        let out = BufWriter::new(out);
        let mut request = Self { out, key, resources: 0, scopes: None, spans: None, failed: None };
        request.write(|out| out.write_all(b"{\"resourceSpans\":["));
        request
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// The first error of the writer.
    pub fn finish(mut self) -> io::Result<()> {
        self.end_resource();
        self.write(|out| out.write_all(b"]}\n"));
        self.write(Write::flush);
        self.failed.map_or(Ok(()), Err)
    }

    /// After the first error nothing is written.
    fn write(&mut self, write: impl FnOnce(&mut Out<'w>) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.out).err();
        }
    }

    fn end_scope(&mut self) {
        if self.spans.take().is_some() {
            self.write(|out| out.write_all(b"]}"));
        }
    }

    fn end_resource(&mut self) {
        self.end_scope();
        if self.scopes.take().is_some() {
            self.write(|out| out.write_all(b"]}"));
        }
    }

    /// Writes a span as the next of its scope.
    fn next_span(&mut self, write: impl FnOnce(&mut Out<'w>) -> io::Result<()>) {
        let count = self.spans.get_or_insert_default();
        let is_first = *count == 0;
        *count += 1;
        self.write(|out| {
            if !is_first {
                out.write_all(b",")?;
            }
            write(out)
        });
    }
}

impl<S: BuildHasher> Sink for Redacted<'_, S> {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.end_resource();
        let comma = if self.resources > 0 { "," } else { "" };
        self.resources += 1;
        self.scopes = Some(0);
        self.write(|out| {
            write!(out, "{comma}{{")?;
            if *resource != Resource::default() {
                out.write_all(b"\"resource\":{\"attributes\":")?;
                write_resource(out, resource)?;
                out.write_all(b"},")?;
            }
            out.write_all(b"\"scopeSpans\":[")
        });
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.end_scope();
        let count = self.scopes.get_or_insert_default();
        let comma = if *count > 0 { "," } else { "" };
        *count += 1;
        self.spans = Some(0);
        // It shows which instrumentors a process has; other scopes are not needed.
        let is_read = scope.name.starts_with("opentelemetry.instrumentation.");
        self.write(|out| {
            write!(out, "{comma}{{")?;
            if is_read {
                out.write_all(b"\"scope\":{\"name\":")?;
                serde_json::to_writer(&mut *out, &*scope.name)?;
                out.write_all(b",\"version\":")?;
                serde_json::to_writer(&mut *out, &*scope.version)?;
                out.write_all(b"},")?;
            }
            out.write_all(b"\"spans\":[")
        });
    }

    fn span(&mut self, span: &Span<'_>) {
        #[allow(clippy::cast_possible_wrap, reason = "OTLP has 64 bits as a signed integer")]
        let hash = self.key.hash_one(span.fingerprint) as i64;
        self.next_span(|out| {
            let redacted = span.redacted();
            write_span(out, redacted.as_ref().unwrap_or(span), hash)
        });
    }

    /// It is replaced by a span that is wrong in the same way.
    fn refused(&mut self, why: Invalid, _: &str) {
        self.next_span(|out| match why {
            Invalid::SpanId => write!(out, "{{\"traceId\":\"{:032x}\"}}", 1),
            _ => out.write_all(b"{}"),
        });
    }

    fn announced(&mut self) {
        self.next_span(|out| {
            write!(out, "{{\"traceId\":\"{:032x}\",\"spanId\":\"{:016x}\",\"attributes\":", 1, 1)?;
            let mut attributes = Attributes::begin(out)?;
            attributes.text("logfire.span_type", Some("pending_span"))?;
            attributes.end()?;
            out.write_all(b"}")
        });
    }
}

/// A list of attributes that is being written.
struct Attributes<'o, 'w> {
    out: &'o mut Out<'w>,
    is_first: bool,
}

impl<'o, 'w> Attributes<'o, 'w> {
    fn begin(out: &'o mut Out<'w>) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self { out, is_first: true })
    }

    fn pair(&mut self, key: &str, kind: &str, value: Option<impl Serialize>) -> io::Result<()> {
        let Some(value) = value else { return Ok(()) };
        let comma = if self.is_first { "" } else { "," };
        self.is_first = false;
        write!(self.out, "{comma}{{\"key\":\"{key}\",\"value\":{{\"{kind}\":")?;
        serde_json::to_writer(&mut *self.out, &value)?;
        self.out.write_all(b"}}")
    }

    fn text(&mut self, key: &str, value: Option<&str>) -> io::Result<()> {
        self.pair(key, "stringValue", value)
    }

    fn int(&mut self, key: &str, value: Option<impl Into<i64>>) -> io::Result<()> {
        self.pair(key, "intValue", value.map(|value| value.into().to_string()))
    }

    fn flag(&mut self, key: &str, is_set: bool) -> io::Result<()> {
        self.pair(key, "boolValue", is_set.then_some(true))
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(b"]")
    }
}

fn write_resource(out: &mut Out<'_>, resource: &Resource<'_>) -> io::Result<()> {
    let Resource { service, instance, language, sdk_version, pid, host, distribution, is_zero_code } =
        resource;
    let mut attributes = Attributes::begin(out)?;
    attributes.text("service.name", Some(&**service).filter(|name| !name.is_empty()))?;
    attributes.text("service.instance.id", instance.as_deref())?;
    attributes.text("telemetry.sdk.language", language.as_deref())?;
    attributes.text("telemetry.sdk.version", sdk_version.as_deref())?;
    attributes.int("process.pid", *pid)?;
    attributes.text("host.name", host.as_deref())?;
    attributes.text("telemetry.distro.name", distribution.as_deref())?;
    // Only its presence is read.
    attributes.text("telemetry.auto.version", is_zero_code.then_some(HIDDEN))?;
    attributes.end()
}

fn write_span(out: &mut Out<'_>, span: &Span<'_>, hash: i64) -> io::Result<()> {
    write!(out, "{{\"traceId\":\"{}\",\"spanId\":\"{}\"", span.trace_id, span.span_id)?;
    match span.parent_id {
        Some(parent) => write!(out, ",\"parentSpanId\":\"{parent}\"")?,
        None if span.flaw == Some(Invalid::ParentId) => out.write_all(b",\"parentSpanId\":\"?\"")?,
        None => {}
    }
    if !span.trace_state.is_empty() {
        out.write_all(b",\"traceState\":")?;
        serde_json::to_writer(&mut *out, &baggage::without_values(&span.trace_state))?;
    }
    match span.parent_origin {
        ParentOrigin::Unknown => {}
        ParentOrigin::Local => out.write_all(b",\"flags\":256")?,
        ParentOrigin::Remote => out.write_all(b",\"flags\":768")?,
    }
    out.write_all(b",\"name\":")?;
    serde_json::to_writer(&mut *out, &*span.name)?;
    // An end before the start was corrected when it was read.
    let ends_early = span.flaw == Some(Invalid::Times) && span.start != Timestamp::UNSET;
    let end = if ends_early { 0 } else { span.end.as_nanos() };
    write!(
        out,
        ",\"kind\":{},\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{end}\"",
        number_of(span.kind),
        span.start.as_nanos()
    )?;
    out.write_all(b",\"attributes\":")?;
    write_attributes(out, span, hash)?;
    write_events(out, span)?;
    write_links(out, &span.links)?;
    if span.status != SpanStatus::Unset || !span.status_message.is_empty() {
        let code = match span.status {
            SpanStatus::Unset => 0,
            SpanStatus::Ok => 1,
            SpanStatus::Error => 2,
        };
        write!(out, ",\"status\":{{\"code\":{code},\"message\":")?;
        serde_json::to_writer(&mut *out, &*span.status_message)?;
        out.write_all(b"}")?;
    }
    out.write_all(b"}")
}

const fn number_of(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Unspecified => 0,
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn write_attributes(out: &mut Out<'_>, span: &Span<'_>, hash: i64) -> io::Result<()> {
    let mut attributes = Attributes::begin(out)?;
    let action = span.action.map(|action| match action {
        CeleryAction::ApplyAsync => "apply_async",
        CeleryAction::Run => "run",
    });
    attributes.text("celery.action", action)?;
    attributes.text("celery.task_name", span.task.as_deref())?;
    attributes.text("messaging.message.id", span.message_id.as_deref())?;
    attributes.text("messaging.destination.name", span.destination.as_deref())?;
    attributes.text("celery.exchange", span.exchange.as_deref())?;
    attributes.text("celery.hostname", span.celery_hostname.as_deref())?;
    attributes.text("celery.state", span.rejected.then_some("REJECTED"))?;
    attributes.int("celery.retries", span.retries)?;
    attributes.text("celery.delivery_info", span.redelivered.then_some("{'redelivered': True}"))?;
    attributes.flag("task.will_retry", span.will_retry)?;
    attributes.int("http.response.status_code", span.http_status)?;
    let system = match span.kind {
        SpanKind::Producer | SpanKind::Consumer => "messaging.system",
        SpanKind::Server => "rpc.system",
        SpanKind::Client | SpanKind::Internal | SpanKind::Unspecified => "db.system.name",
    };
    attributes.text(system, span.system.as_deref())?;
    attributes.text("db.operation.name", span.operation.as_deref())?;
    attributes.text("server.address", span.peer.as_deref())?;
    attributes.int(FINGERPRINT, Some(hash))?;
    attributes.end()
}

fn write_events(out: &mut Out<'_>, span: &Span<'_>) -> io::Result<()> {
    for (place, exception) in span.exceptions.iter().enumerate() {
        let before = if place == 0 { ",\"events\":[" } else { "," };
        write!(out, "{before}{{\"name\":\"exception\",\"attributes\":")?;
        let mut attributes = Attributes::begin(out)?;
        attributes.text("exception.type", Some(&exception.kind))?;
        attributes.text("exception.message", Some(&exception.message))?;
        attributes.end()?;
        out.write_all(b"}")?;
    }
    if span.exceptions.is_empty() { Ok(()) } else { out.write_all(b"]") }
}

fn write_links(out: &mut Out<'_>, links: &[SpanContext]) -> io::Result<()> {
    for (place, link) in links.iter().enumerate() {
        let before = if place == 0 { ",\"links\":[" } else { "," };
        write!(out, "{before}{{\"traceId\":\"{}\",\"spanId\":\"{}\"", link.trace_id, link.span_id)?;
        let flags = if link.sampling == Sampling::Sampled { ",\"flags\":1}" } else { "}" };
        out.write_all(flags.as_bytes())?;
    }
    if links.is_empty() { Ok(()) } else { out.write_all(b"]") }
}
