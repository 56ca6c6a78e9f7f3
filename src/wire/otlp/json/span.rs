//! One span in JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::request::{AnyValue, Event, JsonScope, JsonSpan, Link, Pair};
use crate::model::{
    AttributeValue, Invalid, ParentOrigin, Sampling, Scope, Span, SpanContext, SpanId, SpanKind, SpanStatus,
    TraceId,
};
use crate::wire::json::{List, Loose, Step, each};
use crate::wire::otlp::attributes::{self, ExceptionEvent};

/// How ids are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// As OTLP has them.
    Hex,
    /// As protobuf's own JSON has them too, which backends hand out.
    HexOrBase64,
}

pub fn pairs<'a>(list: List<'a>, mut take: impl FnMut(&str, AttributeValue<'a>)) -> Step<()> {
    each(list, |pair: Pair<'a>| {
        take(&pair.key, pair.value.map_or(AttributeValue::Other, AnyValue::read));
        Ok(())
    })
}

pub fn scope(scope: Option<JsonScope<'_>>) -> Scope<'_> {
    let (name, version) = match scope {
        Some(scope) => (scope.name.unwrap_or_default(), scope.version.unwrap_or_default()),
        None => Default::default(),
    };
    Scope { name, version }
}

pub fn read_span<'a>(json: JsonSpan<'a>, ids: Ids, lenient: &mut u64) -> Step<Result<Span<'a>, Invalid>> {
    let Some(trace_id) = full_trace_id(json.trace_id.text(), ids, lenient) else {
        return Ok(Err(Invalid::TraceId));
    };
    let Some(span_id) = full_span_id(json.span_id.text(), ids, lenient) else {
        return Ok(Err(Invalid::SpanId));
    };
    let parent = json.parent_span_id.text();
    let parent_id = full_span_id(parent, ids, lenient);
    let flags = json.flags.int().unwrap_or(0);
    *lenient += u64::from(matches!(json.flags, Loose::Text(_)));
    let mut span = Span {
        trace_id,
        span_id,
        parent_id,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "flags are a fixed32")]
        parent_origin: ParentOrigin::from_flags(flags as u32),
        kind: read_kind(&json.kind, lenient),
        start: json.start_time_unix_nano.time(),
        end: json.end_time_unix_nano.time(),
        flaw: (parent_id.is_none() && parent.bytes().any(|digit| digit != b'0')).then_some(Invalid::ParentId),
        name: json.name.into_text(),
        trace_state: json.trace_state.into_text(),
        ..Span::default()
    };
    if let Some(status) = json.status {
        span.status = match (status.code.int(), status.code.text()) {
            (Some(1), _) | (_, "STATUS_CODE_OK") => SpanStatus::Ok,
            (Some(2), _) | (_, "STATUS_CODE_ERROR") => SpanStatus::Error,
            _ => SpanStatus::Unset,
        };
        *lenient += u64::from(matches!(status.code, Loose::Text(_)));
        span.status_message = attributes::status_message(status.message.into_text());
    }
    pairs(json.attributes, |key, value| attributes::fill(&mut span, key, value))?;
    let mut events = 0;
    each(json.events, |event: Event<'a>| {
        events += 1;
        if event.name.text() == "exception" && span.exceptions.len() < attributes::EXCEPTIONS {
            let mut exception = ExceptionEvent::default();
            pairs(event.attributes, |key, value| exception.fill(key, value))?;
            span.exceptions.extend(exception.finish());
        }
        Ok(())
    })?;
    each(json.links, |link: Link<'a>| {
        let is_sampled = link.flags.int().is_some_and(|flags| flags & 1 == 1);
        let context = full_trace_id(link.trace_id.text(), ids, lenient).zip(full_span_id(
            link.span_id.text(),
            ids,
            lenient,
        ));
        let context = context.filter(|_| span.links.len() < attributes::LINKS);
        span.links.extend(context.map(|(trace_id, span_id)| SpanContext {
            trace_id,
            span_id,
            sampling: if is_sampled { Sampling::Sampled } else { Sampling::Deferred },
        }));
        Ok(())
    })?;
    attributes::finish(&mut span, events);
    Ok(Ok(span))
}

fn read_kind(kind: &Loose<'_>, lenient: &mut u64) -> SpanKind {
    if let Some(number) = kind.int() {
        return SpanKind::from_otlp(i32::try_from(number).unwrap_or(0));
    }
    *lenient += u64::from(matches!(kind, Loose::Text(_)));
    match kind.text() {
        "SPAN_KIND_INTERNAL" => SpanKind::Internal,
        "SPAN_KIND_SERVER" => SpanKind::Server,
        "SPAN_KIND_CLIENT" => SpanKind::Client,
        "SPAN_KIND_PRODUCER" => SpanKind::Producer,
        "SPAN_KIND_CONSUMER" => SpanKind::Consumer,
        _ => SpanKind::Unspecified,
    }
}

/// An id of full length: OTLP has no short ones. Protobuf's own JSON writes it in Base64.
fn full_trace_id(text: &str, ids: Ids, lenient: &mut u64) -> Option<TraceId> {
    let id = match text.len() {
        32 => TraceId::parse_hex(text.as_bytes()),
        24 if ids == Ids::HexOrBase64 => of_base64(text, lenient).map(TraceId::new),
        _ => None,
    };
    id.filter(|id| !id.is_zero())
}

fn full_span_id(text: &str, ids: Ids, lenient: &mut u64) -> Option<SpanId> {
    let id = match text.len() {
        12 if ids == Ids::HexOrBase64 => of_base64(text, lenient).map(SpanId::new),
        _ => SpanId::parse_hex(text.as_bytes()),
    };
    id.filter(|id| !id.is_zero())
}

fn of_base64<const N: usize>(text: &str, lenient: &mut u64) -> Option<[u8; N]> {
    let bytes = BASE64.decode(text).ok()?.try_into().ok()?;
    *lenient += 1;
    Some(bytes)
}
