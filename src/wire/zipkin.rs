//! Zipkin's JSON, version 2 (<https://zipkin.io/zipkin-api/>).
//!
//! A list of spans, or a list of such lists. OpenTelemetry's own fields are in tags, all of
//! them texts, together with the resource's attributes. The format does not say whether a
//! parent is remote. It has no links either, unless the Collector wrote the file, which
//! puts them into tags.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Allowance, EachText, List, Loose, Step, each, without_lone_halves};
use super::otlp::attributes::{self, ExceptionEvent};
use super::otlp::{Counts, DecodeError, Sink, give_at};
use super::tags::{self, Tagged, kind_of};
use crate::model::{AttributeValue, Invalid, Resource, Sampling, Scope, Span, SpanContext, SpanId, SpanKind};

/// What the format cannot express, and what follows from that.
pub const LACKS: &str = "Zipkin's JSON does not say whether a parent is of another process, and keeps links only \
                         where the Collector wrote it: what rests on that is a step less sure";

/// Under this name and a number the Collector writes a link
/// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/translator/zipkin>).
const LINK: &str = "otlp.link.";

/// After how many spans those that follow are called another request's, so that room can be
/// made in between.
const PIECE: u64 = 2_048;

/// Decodes one list of a reader, of spans or of traces. `next` is called before it, and
/// between the pieces of a long one. At most `most` bytes are held of a span or a trace. The
/// reader is left right behind the list.
///
/// # Errors
///
/// [`DecodeError`], and what came before that place has gone to the sink.
pub fn decode<S: Sink>(
    reader: impl Read,
    most: usize,
    sink: &mut S,
    mut next: impl FnMut(&mut S),
) -> Result<Counts, DecodeError> {
    let allowance = Allowance::new(most);
    let mut counts = Counts::default();
    let mut number = 0;
    let mut next_piece = 0;
    let take = |element: &RawValue| {
        let seen = counts.spans + counts.refused;
        if seen >= next_piece {
            next_piece = seen + PIECE;
            next(sink);
        }
        let text = without_lone_halves(element.get().as_bytes());
        if text.first() == Some(&b'[') {
            let mut within = 0;
            each(Some(serde_json::from_slice(&text)?), |span: JsonSpan<'_>| {
                visit(span, || format!("[{number}][{within}]"), &mut counts, sink)?;
                within += 1;
                Ok(())
            })?;
        } else {
            visit(serde_json::from_slice(&text)?, || format!("[{number}]"), &mut counts, sink)?;
        }
        number += 1;
        Ok(())
    };
    let mut json = serde_json::Deserializer::from_reader(allowance.apply(reader));
    let walked = EachText { allowance: &allowance, held: 0, each: take }.deserialize(&mut json);
    DecodeError::of_walk(walked, &allowance).map(|()| counts)
}

fn visit(
    json: JsonSpan<'_>,
    place: impl Fn() -> String,
    counts: &mut Counts,
    sink: &mut impl Sink,
) -> Step<()> {
    let mut resource = Resource::default();
    let read = read(json, &mut resource)?;
    // Each span names its sender; neighbours come from one process by chance only.
    sink.resource(&resource);
    let read = read.map(|(span, scope)| {
        sink.scope(&scope);
        span
    });
    give_at(read, place, counts, sink);
    Ok(())
}

fn read<'a>(json: JsonSpan<'a>, resource: &mut Resource<'a>) -> Step<Result<(Span<'a>, Scope<'a>), Invalid>> {
    let Some(trace_id) = tags::trace_id(json.trace_id.text()) else { return Ok(Err(Invalid::TraceId)) };
    let Some(id) = tags::span_id(json.id.text()) else { return Ok(Err(Invalid::SpanId)) };
    let mut tagged = Tagged::default();
    let span = &mut tagged.span;
    (span.trace_id, span.span_id, span.name) = (trace_id, id, json.name.into_text());
    span.parent_id = tags::span_id(json.parent_id.text());
    // Zipkin has no kind for spans that neither send nor receive.
    span.kind = kind_of(json.kind.text()).unwrap_or(SpanKind::Internal);
    (span.start, span.end) = tags::times(&json.timestamp, &json.duration);
    if span.kind == SpanKind::Server && matches!(json.shared, Loose::Bool(true)) {
        // In B3 both halves of a call may have one id. Here each span has its own, and the
        // server's half is below the client's.
        span.parent_id = Some(id);
        span.span_id = SpanId::new(id.bytes().map(|byte| !byte));
    }
    texts(json.tags, &mut |key, value| {
        if key.starts_with(LINK) {
            let links = &mut tagged.span.links;
            links.extend(link(&value).filter(|_| links.len() < attributes::LINKS));
            return;
        }
        attributes::fill_resource(resource, &key, typed(&key, value.clone()));
        tagged.fill(&key, typed(&key, value));
    })?;
    if let Some(endpoint) = json.local_endpoint {
        attributes::fill_resource(
            resource,
            "service.name",
            AttributeValue::Text(endpoint.service_name.into_text()),
        );
    }
    if let Some(endpoint) = json.remote_endpoint
        && let Loose::Text(peer) = endpoint.service_name
    {
        tagged.fill("peer.service", AttributeValue::Text(peer));
    }
    let mut events = 0;
    each(json.annotations, |annotation: Annotation<'a>| {
        events += 1;
        if tagged.span.exceptions.len() < attributes::EXCEPTIONS
            && let Some(attributes) = exception_attributes(annotation.value.text())
        {
            let mut exception = ExceptionEvent::default();
            texts(Some(attributes), &mut |key, value| {
                exception.fill(&key, AttributeValue::Text(Cow::Owned(value.into_owned())));
            })?;
            tagged.span.exceptions.extend(exception.finish());
        }
        Ok(())
    })?;
    Ok(Ok(tagged.finish(events)))
}

/// The attributes of an exception that was written as an annotation:
/// `exception|{…}|0` by the Collector, `{"exception": {…}}` by Python's exporter.
fn exception_attributes(text: &str) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        exception: Option<&'a RawValue>,
    }
    if let Some(rest) = text.strip_prefix("exception|") {
        return serde_json::from_str(rest.rsplit_once('|')?.0).ok();
    }
    serde_json::from_str::<Named<'_>>(text).ok()?.exception
}

/// A link as the Collector writes it: `trace id|span id|tracestate|attributes|dropped`.
fn link(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('|');
    let (trace_id, span_id) = (tags::trace_id(parts.next()?)?, tags::span_id(parts.next()?)?);
    Some(SpanContext { trace_id, span_id, sampling: Sampling::Deferred })
}

/// A tag's value, typed by what it looks like: Zipkin only has texts.
fn typed<'a>(key: &str, value: Cow<'a, str>) -> AttributeValue<'a> {
    match &*value {
        "true" | "True" => AttributeValue::Bool(true),
        "false" | "False" => AttributeValue::Bool(false),
        number if key == "process.pid" => number.parse().map_or(AttributeValue::Other, AttributeValue::Int),
        number if key == attributes::FINGERPRINT => {
            number.parse().map_or(AttributeValue::Other, AttributeValue::Int)
        }
        _ => AttributeValue::Text(value),
    }
}

/// Walks a map of texts, one entry at a time.
fn texts<'a>(map: Option<&'a RawValue>, take: &mut impl FnMut(Cow<'a, str>, Cow<'a, str>)) -> Step<()> {
    struct Entries<'t, F>(&'t mut F);

    impl<'de, F: FnMut(Cow<'de, str>, Cow<'de, str>)> Visitor<'de> for Entries<'_, F> {
        type Value = ();

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a map of texts")
        }

        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some((key, value)) = map.next_entry::<Loose<'_>, Loose<'_>>()? {
                let value = match value {
                    Loose::Nothing => continue,
                    Loose::Text(text) => text,
                    Loose::Bool(flag) => Cow::Borrowed(if flag { "true" } else { "false" }),
                    Loose::Int(number) => Cow::Owned(number.to_string()),
                    Loose::Double(number) => Cow::Owned(number.to_string()),
                };
                (self.0)(key.into_text(), value);
            }
            Ok(())
        }
    }

    let Some(map) = map else { return Ok(()) };
    serde_json::Deserializer::from_str(map.get()).deserialize_any(Entries(take))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan<'a> {
    #[serde(borrow, default)]
    trace_id: Loose<'a>,
    #[serde(borrow, default)]
    id: Loose<'a>,
    #[serde(borrow, default)]
    parent_id: Loose<'a>,
    #[serde(borrow, default)]
    name: Loose<'a>,
    #[serde(borrow, default)]
    kind: Loose<'a>,
    #[serde(borrow, default)]
    timestamp: Loose<'a>,
    #[serde(borrow, default)]
    duration: Loose<'a>,
    #[serde(borrow, default)]
    shared: Loose<'a>,
    #[serde(borrow, default)]
    local_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow, default)]
    remote_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow, default)]
    annotations: List<'a>,
    #[serde(borrow, default)]
    tags: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint<'a> {
    #[serde(borrow, default)]
    service_name: Loose<'a>,
}

#[derive(Deserialize)]
struct Annotation<'a> {
    #[serde(borrow, default)]
    value: Loose<'a>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::tags::tests::Told;

    const LIST: &str = r#"[
        {"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "id": "00f067aa0ba902b7", "parentId": "00f067aa0ba902b6",
         "name": "run/add", "kind": "CONSUMER", "timestamp": 1700000000000001, "duration": 5,
         "localEndpoint": {"serviceName": "order-worker"}, "remoteEndpoint": {"serviceName": "redis"},
         "annotations": [{"timestamp": 1700000000000002, "value": "exception|{\"exception.type\": \"shop.Empty\"}|0"}],
         "tags": {"otel.library.name": "opentelemetry.instrumentation.celery", "celery.task_name": "add",
                  "celery.retries": "2", "otel.status_code": "Error", "telemetry.sdk.language": "python", "process.pid": "7",
                  "otlp.link.0": "a3ce929d0e0e4736a3ce929d0e0e4736|00f067aa0ba902b5||{}|0"}},
        {"traceId": "a3ce929d0e0e4736", "id": "00f067aa0ba902b7", "name": "get", "kind": "SERVER", "shared": true,
         "localEndpoint": {"serviceName": "api"}}]"#;

    #[test]
    fn a_list_is_read_with_what_stands_in_tags() {
        let mut told = Told::default();
        let counts = decode(LIST.as_bytes(), 1 << 16, &mut told, |_| {}).expect("a list");
        assert_eq!(counts, Counts { spans: 2, ..Counts::default() });
        assert_eq!(
            told.lines,
            [
                "order-worker python Some(7)",
                "opentelemetry.instrumentation.celery",
                "run/add Consumer 00f067aa0ba902b7 below 00f067aa0ba902b6, 5000 ns, Error, \
                 add Some(2), [a3ce929d0e0e4736a3ce929d0e0e4736], [Empty]",
                "api ? None",
                "",
                // The server's half has an id of its own, below the client's.
                "get Server ff0f9855f456fd48 below 00f067aa0ba902b7, 0 ns, Unset, ? None, [], []",
            ]
        );
        let mut nested = Told::default();
        decode(format!("[{LIST}]").as_bytes(), 1 << 16, &mut nested, |_| {}).expect("a list of lists");
        assert_eq!(nested.lines, told.lines);
    }

    #[test]
    fn pythons_exporter_writes_an_exception_as_json() {
        let text = r#"{"exception": {"exception.type": "shop.Empty"}}"#;
        assert_eq!(
            exception_attributes(text).expect("attributes").get(),
            r#"{"exception.type": "shop.Empty"}"#
        );
        assert!(exception_attributes("exception").is_none());
        assert!(exception_attributes("exception|{").is_none());
    }

    proptest! {
        #[test]
        fn no_cut_panics(at in 0..LIST.len(), with in "[\\[\\]{}\",:0-9a-z]{0,8}") {
            let text = format!("{}{with}{}", &LIST[..at], &LIST[at..]);
            let _ = decode(text.as_bytes(), 1 << 16, &mut Told::default(), |_| {});
            let _ = decode(&LIST.as_bytes()[..at], 1 << 16, &mut Told::default(), |_| {});
        }
    }
}
