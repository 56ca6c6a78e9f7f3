//! OTLP in protobuf: a visitor that borrows and reads only what diagnoses need.
//!
//! It is written by hand because prost, which `opentelemetry-proto` is generated for,
//! builds the whole request before anybody sees a span. It decoded 0.5 to 0.9 million spans
//! a second on one core; this decodes 1.7. `tests/otlp.rs` checks the two against each
//! other.
//!
//! The field numbers are those of `opentelemetry/proto/trace/v1/trace.proto`.

mod fields;
mod pieces;
mod signal;

use std::borrow::Cow;

use self::fields::Step;
pub(super) use self::fields::{Fields, Value};
pub use self::pieces::{Piece, PieceState, Pieces};
pub use self::signal::other_signal;
use super::attributes::{self, ExceptionEvent};
use super::{Counts, DecodeError, Sink, give};
use crate::model::{
    AttributeValue, Invalid, ParentOrigin, Resource, Sampling, Scope, Span, SpanContext, SpanId, SpanKind,
    SpanStatus, Timestamp, TraceId,
};

/// Decodes an `ExportTraceServiceRequest`.
///
/// # Errors
///
/// [`DecodeError::Protobuf`] with the byte at which the message breaks. The
/// spans before it have gone to the sink.
pub fn decode_protobuf(body: &[u8], sink: &mut impl Sink) -> Result<Counts, DecodeError> {
    let mut counts = Counts::default();
    let mut resource_spans = 0;
    for field in Fields::of(body, 0) {
        if let (1, Value::Bytes(message, at)) = field? {
            decode_resource_spans(message, at, resource_spans, &mut counts, sink)?;
            resource_spans += 1;
        }
    }
    Ok(counts)
}

fn decode_resource_spans(
    bytes: &[u8],
    at: usize,
    number: usize,
    counts: &mut Counts,
    sink: &mut impl Sink,
) -> Step<()> {
    // Fields may come in any order, and the spans need their resource first.
    let mut resource = Resource::default();
    for field in Fields::of(bytes, at) {
        if let (1, Value::Bytes(message, at)) = field? {
            for field in Fields::of(message, at) {
                if let (1, Value::Bytes(pair, at)) = field? {
                    let (key, value) = decode_pair(pair, at)?;
                    attributes::fill_resource(&mut resource, &key, value);
                }
            }
        }
    }
    sink.resource(&resource);
    let mut scope_spans = 0;
    for field in Fields::of(bytes, at) {
        if let (2, Value::Bytes(message, at)) = field? {
            decode_scope_spans(message, at, (number, scope_spans), counts, sink)?;
            scope_spans += 1;
        }
    }
    Ok(())
}

fn decode_scope_spans(
    bytes: &[u8],
    at: usize,
    (resource, scope_number): (usize, usize),
    counts: &mut Counts,
    sink: &mut impl Sink,
) -> Step<()> {
    let mut scope = Scope::default();
    for field in Fields::of(bytes, at) {
        if let (1, Value::Bytes(message, at)) = field? {
            for field in Fields::of(message, at) {
                match field? {
                    (1, Value::Bytes(name, _)) => scope.name = text(name),
                    (2, Value::Bytes(version, _)) => scope.version = text(version),
                    _ => {}
                }
            }
        }
    }
    sink.scope(&scope);
    let mut number = 0;
    for field in Fields::of(bytes, at) {
        let (2, Value::Bytes(message, at)) = field? else { continue };
        give(decode_span(message, at)?, [resource, scope_number, number], counts, sink);
        number += 1;
    }
    Ok(())
}

fn decode_span(bytes: &[u8], at: usize) -> Step<Result<Span<'_>, Invalid>> {
    let mut span = Span::default();
    let (mut trace_id, mut span_id, mut parent): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    let mut events = 0;
    for field in Fields::of(bytes, at) {
        match field? {
            (1, Value::Bytes(id, _)) => trace_id = id,
            (2, Value::Bytes(id, _)) => span_id = id,
            (3, Value::Bytes(state, _)) => span.trace_state = String::from_utf8_lossy(state),
            (4, Value::Bytes(id, _)) => parent = id,
            (5, Value::Bytes(name, _)) => span.name = text(name),
            (6, Value::Number(kind)) => span.kind = SpanKind::from_otlp(to_enum(kind)),
            (7, Value::Number(time)) => span.start = Timestamp::from_nanos(time),
            (8, Value::Number(time)) => span.end = Timestamp::from_nanos(time),
            (9, Value::Bytes(pair, at)) => {
                let (key, value) = decode_pair(pair, at)?;
                attributes::fill(&mut span, &key, value);
            }
            (11, Value::Bytes(event, at)) => {
                events += 1;
                decode_event(event, at, &mut span)?;
            }
            (13, Value::Bytes(link, at)) => {
                let link = decode_link(link, at)?;
                span.links.extend(link.filter(|_| span.links.len() < attributes::LINKS));
            }
            (15, Value::Bytes(status, at)) => decode_status(status, at, &mut span)?,
            #[allow(clippy::cast_possible_truncation, reason = "flags are a fixed32")]
            (16, Value::Number(flags)) => span.parent_origin = ParentOrigin::from_flags(flags as u32),
            _ => {}
        }
    }
    let Some(trace_id) = to_trace_id(trace_id) else { return Ok(Err(Invalid::TraceId)) };
    let Some(span_id) = to_span_id(span_id) else { return Ok(Err(Invalid::SpanId)) };
    (span.trace_id, span.span_id) = (trace_id, span_id);
    span.parent_id = to_span_id(parent);
    if span.parent_id.is_none() && !parent.iter().all(|byte| *byte == 0) {
        span.flaw = Some(Invalid::ParentId);
    }
    attributes::finish(&mut span, events);
    Ok(Ok(span))
}

fn decode_event(bytes: &[u8], at: usize, span: &mut Span<'_>) -> Step<()> {
    let (mut is_exception, mut exception) = (false, ExceptionEvent::default());
    for field in Fields::of(bytes, at) {
        match field? {
            (2, Value::Bytes(name, _)) => is_exception = name == b"exception",
            (3, Value::Bytes(pair, at)) => {
                let (key, value) = decode_pair(pair, at)?;
                exception.fill(&key, value);
            }
            _ => {}
        }
    }
    if is_exception && span.exceptions.len() < attributes::EXCEPTIONS {
        span.exceptions.extend(exception.finish());
    }
    Ok(())
}

fn decode_link(bytes: &[u8], at: usize) -> Step<Option<SpanContext>> {
    let (mut trace_id, mut span_id, mut flags) = (None, None, None);
    for field in Fields::of(bytes, at) {
        match field? {
            (1, Value::Bytes(id, _)) => trace_id = to_trace_id(id),
            (2, Value::Bytes(id, _)) => span_id = to_span_id(id),
            (6, Value::Number(number)) => flags = Some(number),
            _ => {}
        }
    }
    let sampling = match flags {
        Some(flags) if flags & 1 == 1 => Sampling::Sampled,
        _ => Sampling::Deferred,
    };
    Ok(trace_id.zip(span_id).map(|(trace_id, span_id)| SpanContext { trace_id, span_id, sampling }))
}

fn decode_status<'a>(bytes: &'a [u8], at: usize, span: &mut Span<'a>) -> Step<()> {
    for field in Fields::of(bytes, at) {
        match field? {
            (2, Value::Bytes(message, _)) => span.status_message = status_message(message),
            (3, Value::Number(code)) => {
                span.status = match to_enum(code) {
                    1 => SpanStatus::Ok,
                    2 => SpanStatus::Error,
                    _ => SpanStatus::Unset,
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The start of a status message: 0.40b0 put whole tracebacks there.
fn status_message(message: &[u8]) -> Cow<'_, str> {
    /// More than is kept of it, so that the cut falls between characters.
    const LONGEST: usize = 1024;
    attributes::status_message(String::from_utf8_lossy(&message[..message.len().min(LONGEST)]))
}

fn decode_pair(bytes: &[u8], at: usize) -> Step<(Cow<'_, str>, AttributeValue<'_>)> {
    let (mut key, mut value) = (Cow::Borrowed(""), AttributeValue::Other);
    for field in Fields::of(bytes, at) {
        match field? {
            (1, Value::Bytes(name, _)) => key = text(name),
            (2, Value::Bytes(any, at)) => decode_any(any, at, &mut value)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// The last of its fields counts; one that is given again without any stays as it was.
/// Arrays, maps and bytes are not read, so nothing recurses.
fn decode_any<'a>(bytes: &'a [u8], at: usize, value: &mut AttributeValue<'a>) -> Step<()> {
    for field in Fields::of(bytes, at) {
        *value = match field? {
            (1, Value::Bytes(bytes, _)) => AttributeValue::Text(text(bytes)),
            (2, Value::Number(flag)) => AttributeValue::Bool(flag != 0),
            #[allow(clippy::cast_possible_wrap, reason = "an int64 is a varint of its two's complement")]
            (3, Value::Number(number)) => AttributeValue::Int(number as i64),
            (4, Value::Number(bits)) => AttributeValue::Double(f64::from_bits(bits)),
            (5..=7, _) => AttributeValue::Other,
            // A field of a later version.
            _ => continue,
        };
    }
    Ok(())
}

/// An enum is the low half of its varint
/// (<https://protobuf.dev/programming-guides/encoding/#signed-ints>).
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "so the format has it")]
const fn to_enum(varint: u64) -> i32 {
    varint as i32
}

fn to_trace_id(bytes: &[u8]) -> Option<TraceId> {
    bytes.try_into().ok().map(TraceId::new).filter(|id| !id.is_zero())
}

fn to_span_id(bytes: &[u8]) -> Option<SpanId> {
    bytes.try_into().ok().map(SpanId::new).filter(|id| !id.is_zero())
}

/// A text. Bytes that are not UTF-8 are replaced, and then only their start is kept: each
/// replacement takes three bytes.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    const LONGEST: usize = 4096;
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Nothing;

    impl Sink for Nothing {
        fn resource(&mut self, _: &Resource<'_>) {}
        fn scope(&mut self, _: &Scope<'_>) {}
        fn span(&mut self, _: &Span<'_>) {}
        fn refused(&mut self, _: Invalid, _: &str) {}
    }

    #[test]
    fn an_empty_request_is_one() {
        assert_eq!(decode_protobuf(b"", &mut Nothing).expect("empty"), Counts::default());
    }

    #[test]
    fn a_break_is_named_by_its_place() {
        let error = decode_protobuf(b"\x0a\x05\x12\x03\x12\x7f", &mut Nothing).expect_err("cut");
        assert_eq!(error.to_string(), "broken protobuf at byte 2: a field is longer than its message");
    }

    /// Unknown fields are skipped, including groups, which proto3 gave up. Groups once lost
    /// the batch.
    #[test]
    fn groups_are_passed_over() {
        let span = [
            b"\x0a\x10aaaaaaaaaaaaaaaa".as_slice(),
            b"\x12\x08bbbbbbbb",
            // 15: { 1: 7, 2: "x", 3: { } }
            b"\x7b\x08\x07\x12\x01x\x1b\x1c\x7c",
            b"\x2a\x04name",
        ]
        .concat();
        let wrap = |number: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).expect("short");
            [&[number << 3 | 2, length], content].concat()
        };
        let body = [wrap(1, &wrap(2, &wrap(2, &span))), b"\x4b\x4c".to_vec()].concat();
        assert_eq!(decode_protobuf(&body, &mut Nothing).expect("whole").spans, 1);
        let broken = |body: &[u8]| decode_protobuf(body, &mut Nothing).expect_err("broken").to_string();
        assert!(broken(b"\x4c").contains("never began"));
        assert!(broken(b"\x4b\x54").contains("never began"), "another's end");
        assert!(broken(b"\x4b\x08\x07").contains("ends early"));
        assert!(broken(&[0x4b; 10_000]).contains("too deep"));
    }

    /// Writes down the spans that it is told of.
    #[derive(Default)]
    struct Spans(Vec<Span<'static>>);

    impl Sink for Spans {
        fn resource(&mut self, _: &Resource<'_>) {}
        fn scope(&mut self, _: &Scope<'_>) {}
        fn span(&mut self, span: &Span<'_>) {
            let (kind, status) = (span.kind, span.status);
            let task = span.task.as_deref().map(|task| task.to_owned().into());
            self.0.push(Span { kind, status, task, ..Span::default() });
        }
        fn refused(&mut self, _: Invalid, _: &str) {}
    }

    /// What is given twice is merged as protobuf says, and a field of a later version hides
    /// no value.
    #[test]
    fn fields_that_come_twice_are_merged() {
        let field = |number: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).expect("short");
            [&[number << 3 | 2, length], content].concat()
        };
        let value = [field(1, b"pay"), vec![0x48, 1]].concat();
        let task = [field(1, b"celery.task_name"), field(2, &value), field(2, b"")].concat();
        let span = [
            field(1, &[1; 16]),
            field(2, &[2; 8]),
            // The kind 2 with a bit beyond an enum's; an error, and then no status.
            b"\x30\x82\x80\x80\x80\x80\x01".to_vec(),
            field(15, &[0x18, 2]),
            field(15, &[0x18, 0]),
            field(9, &task),
        ];
        let body = field(1, &field(2, &field(2, &span.concat())));
        let mut spans = Spans::default();
        decode_protobuf(&body, &mut spans).expect("a request");
        let [span] = &spans.0[..] else { panic!("one span") };
        assert_eq!((span.kind, span.status), (SpanKind::Server, SpanStatus::Unset));
        assert_eq!(span.task.as_deref(), Some("pay"));
    }

    #[test]
    fn what_is_no_text_takes_no_more_than_it_came_with() {
        assert_eq!(text("spän".as_bytes()), "spän");
        assert!(text(&vec![0xff; 1 << 20]).len() <= 3 * 4096);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = decode_protobuf(&bytes, &mut Nothing);
        }
    }
}
