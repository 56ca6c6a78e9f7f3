//! Jaeger's JSON: what its page downloads, and what `/api/traces/ID` answers
//! (<https://github.com/jaegertracing/jaeger/blob/v1.76.0/internal/uimodel/model.go>).
//! Traces are read one by one, and one trace is held: its processes follow its spans.
//!
//! OpenTelemetry's own fields are in tags. A link is a reference `FOLLOWS_FROM`. The format
//! does not say whether a parent is remote. Times are in microseconds.

use std::borrow::Cow;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::{Allowance, EachText, List, Loose, Step, each, without_lone_halves, without_place};
use super::otlp::attributes::{self, ExceptionEvent};
use super::otlp::{Counts, DecodeError, Sink, give_at};
use super::tags::{self, Tagged};
use crate::model::{AttributeValue, Invalid, Map, Resource, Sampling, Scope, Span, SpanContext};

/// What the format cannot express, and what follows from that.
pub const LACKS: &str = "Jaeger's JSON does not say whether a parent is of another process: \
                         what rests on that is a step less sure";

/// How many processes of one trace are kept apart. Spans of further ones have no service.
const PROCESSES: usize = 16_384;

/// Decodes one document of a reader: an answer with traces, a list of traces, or one trace.
/// `next` is called before each trace, of which at most `most` bytes are held. The reader is
/// left right behind the document.
///
/// # Errors
///
/// [`DecodeError`], and what came before that place has gone to the sink.
pub fn decode<S: Sink>(
    reader: impl Read,
    most: usize,
    sink: &mut S,
    next: impl FnMut(&mut S),
) -> Result<Counts, DecodeError> {
    let allowance = Allowance::new(most);
    let mut walk = Walk { sink, next, counts: Counts::default(), number: 0 };
    let mut json = serde_json::Deserializer::from_reader(allowance.apply(reader));
    let walked = Document { walk: &mut walk, allowance: &allowance }.deserialize(&mut json);
    DecodeError::of_walk(walked, &allowance).map(|()| walk.counts)
}

struct Walk<'w, S, N> {
    sink: &'w mut S,
    next: N,
    counts: Counts,
    /// Of the trace that is read.
    number: usize,
}

impl<S: Sink, N: FnMut(&mut S)> Walk<'_, S, N> {
    fn trace(&mut self, text: &RawValue) -> Step<()> {
        let text = without_lone_halves(text.get().as_bytes());
        let at = format!("data[{}].", self.number);
        self.number += 1;
        (self.next)(self.sink);
        visit(&serde_json::from_slice(&text)?, &at, &mut self.counts, self.sink)
    }

    /// A trace that is the whole document, by its parts.
    fn only_trace(&mut self, spans: &RawValue, processes: Option<&RawValue>) -> Step<()> {
        let spans = without_lone_halves(spans.get().as_bytes());
        let processes = processes.map(|text| without_lone_halves(text.get().as_bytes()));
        let processes = processes.as_deref().map(serde_json::from_slice).transpose()?.unwrap_or_default();
        let trace = Trace { spans: serde_json::from_slice(&spans)?, processes };
        (self.next)(self.sink);
        visit(&trace, "", &mut self.counts, self.sink)
    }
}

struct Document<'s, 'w, S, N> {
    walk: &'s mut Walk<'w, S, N>,
    allowance: &'s Allowance,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Key {
    Data,
    Spans,
    Processes,
    #[serde(other)]
    Other,
}

impl<'de, S: Sink, N: FnMut(&mut S)> DeserializeSeed<'de> for Document<'_, '_, S, N> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink, N: FnMut(&mut S)> Visitor<'de> for Document<'_, '_, S, N> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("traces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        let Self { walk, allowance } = self;
        EachText { allowance, held: 0, each: |text: &RawValue| walk.trace(text) }.visit_seq(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { walk, allowance } = self;
        let (mut spans, mut processes) = (None, None);
        while let Some(key) = map.next_key()? {
            match key {
                Key::Data => {
                    let each = |text: &RawValue| walk.trace(text);
                    map.next_value_seed(EachText { allowance, held: 0, each })?;
                }
                Key::Spans => spans = Some(map.next_value::<Box<RawValue>>()?),
                Key::Processes => processes = Some(map.next_value::<Box<RawValue>>()?),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(spans) = spans else { return Ok(()) };
        walk.only_trace(&spans, processes.as_deref()).map_err(|error| A::Error::custom(without_place(&error)))
    }
}

fn visit(trace: &Trace<'_>, at: &str, counts: &mut Counts, sink: &mut impl Sink) -> Step<()> {
    let mut last: Option<Cow<'_, str>> = None;
    let mut last_scope: Option<Scope<'_>> = None;
    let mut number = 0;
    each(trace.spans, |json: JsonSpan<'_>| {
        let process = json.process_id.clone().into_text();
        if last.as_ref() != Some(&process) {
            sink.resource(trace.processes.0.get(&process).unwrap_or(&Resource::default()));
            last = Some(process);
            last_scope = None;
        }
        let read = read(json)?.map(|(span, scope)| {
            if last_scope.as_ref() != Some(&scope) {
                sink.scope(&scope);
                last_scope = Some(scope);
            }
            span
        });
        give_at(read, || format!("{at}spans[{number}]"), counts, sink);
        number += 1;
        Ok(())
    })
}

/// What the tags of a process say about it.
fn resource<'a>(process: &Process<'a>) -> Step<Resource<'a>> {
    let mut resource = Resource::default();
    each(process.tags, |tag: Tag<'a>| {
        attributes::fill_resource(&mut resource, &tag.key, tag.value.into_attribute());
        Ok(())
    })?;
    // Last: another tag of the same meaning would say less.
    let name = AttributeValue::Text(process.service_name.clone().into_text());
    attributes::fill_resource(&mut resource, "service.name", name);
    Ok(resource)
}

fn read<'a>(json: JsonSpan<'a>) -> Step<Result<(Span<'a>, Scope<'a>), Invalid>> {
    let Some(trace_id) = tags::trace_id(json.trace_id.text()) else { return Ok(Err(Invalid::TraceId)) };
    let Some(span_id) = tags::span_id(json.span_id.text()) else { return Ok(Err(Invalid::SpanId)) };
    let mut tagged = Tagged::default();
    let span = &mut tagged.span;
    (span.trace_id, span.span_id, span.name) = (trace_id, span_id, json.operation_name.into_text());
    (span.start, span.end) = tags::times(&json.start_time, &json.duration);
    each(json.references, |reference: Reference<'a>| {
        let span = &mut tagged.span;
        let of = tags::trace_id(reference.trace_id.text()).zip(tags::span_id(reference.span_id.text()));
        match of {
            Some((of, parent))
                if reference.kind.text() == "CHILD_OF" && of == trace_id && span.parent_id.is_none() =>
            {
                span.parent_id = Some(parent);
            }
            Some((trace_id, span_id)) if span.links.len() < attributes::LINKS => {
                span.links.push(SpanContext { trace_id, span_id, sampling: Sampling::Deferred });
            }
            None if reference.kind.text() == "CHILD_OF" => span.flaw = Some(Invalid::ParentId),
            Some(_) | None => {}
        }
        Ok(())
    })?;
    if tagged.span.parent_id.is_none() {
        // Clients before 2017 name the parent in a separate field.
        tagged.span.parent_id = tags::span_id(json.parent_span_id.text());
    }
    each(json.tags, |tag: Tag<'a>| {
        tagged.fill(&tag.key, tag.value.into_attribute());
        Ok(())
    })?;
    let mut events = 0;
    each(json.logs, |log: Log<'a>| {
        events += 1;
        if tagged.span.exceptions.len() < attributes::EXCEPTIONS {
            let mut exception = ExceptionEvent::default();
            each(log.fields, |field: Tag<'a>| {
                exception.fill(&field.key, field.value.into_attribute());
                Ok(())
            })?;
            tagged.span.exceptions.extend(exception.finish());
        }
        Ok(())
    })?;
    Ok(Ok(tagged.finish(events)))
}

#[derive(Deserialize)]
struct Trace<'a> {
    #[serde(borrow, default)]
    spans: List<'a>,
    #[serde(borrow, default)]
    processes: Processes<'a>,
}

/// Processes by id.
#[derive(Default)]
struct Processes<'a>(Map<Cow<'a, str>, Resource<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Processes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ProcessesVisitor;

        impl<'de> Visitor<'de> for ProcessesVisitor {
            type Value = Processes<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("processes by id")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Processes::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut processes = Map::default();
                while let Some((id, process)) = map.next_entry::<Loose<'_>, &RawValue>()? {
                    let process = serde_json::from_str::<Process<'_>>(process.get());
                    if let (Loose::Text(id), Ok(process)) = (id, process)
                        && processes.len() < PROCESSES
                    {
                        processes.insert(id, resource(&process).map_err(A::Error::custom)?);
                    }
                }
                Ok(Processes(processes))
            }
        }

        deserializer.deserialize_any(ProcessesVisitor)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process<'a> {
    #[serde(borrow, default)]
    service_name: Loose<'a>,
    #[serde(borrow, default)]
    tags: List<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan<'a> {
    #[serde(borrow, default, rename = "traceID")]
    trace_id: Loose<'a>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Loose<'a>,
    #[serde(borrow, default, rename = "parentSpanID")]
    parent_span_id: Loose<'a>,
    #[serde(borrow, default)]
    operation_name: Loose<'a>,
    #[serde(borrow, default)]
    references: List<'a>,
    #[serde(borrow, default)]
    start_time: Loose<'a>,
    #[serde(borrow, default)]
    duration: Loose<'a>,
    #[serde(borrow, default)]
    tags: List<'a>,
    #[serde(borrow, default)]
    logs: List<'a>,
    #[serde(borrow, default, rename = "processID")]
    process_id: Loose<'a>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow, default, rename = "refType")]
    kind: Loose<'a>,
    #[serde(borrow, default, rename = "traceID")]
    trace_id: Loose<'a>,
    #[serde(borrow, default, rename = "spanID")]
    span_id: Loose<'a>,
}

#[derive(Deserialize)]
struct Log<'a> {
    #[serde(borrow, default)]
    fields: List<'a>,
}

#[derive(Deserialize)]
struct Tag<'a> {
    #[serde(borrow, default)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Loose<'a>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::tags::tests::Told;

    const DOWNLOAD: &str = r#"{"data": [{"traceID": "4bf92f3577b34da6a3ce929d0e0e4736", "spans": [
        {"traceID": "4bf92f3577b34da6a3ce929d0e0e4736", "spanID": "f067aa0ba902b7", "operationName": "apply_async/add",
         "references": [
            {"refType": "CHILD_OF", "traceID": "4bf92f3577b34da6a3ce929d0e0e4736", "spanID": "00f067aa0ba902b6"},
            {"refType": "FOLLOWS_FROM", "traceID": "a3ce929d0e0e4736", "spanID": "00f067aa0ba902b5"}],
         "startTime": 1700000000000001, "duration": 5, "processID": "p1", "flags": 1, "warnings": null,
         "tags": [{"key": "span.kind", "type": "string", "value": "producer"},
                  {"key": "otel.scope.name", "type": "string", "value": "opentelemetry.instrumentation.celery"},
                  {"key": "celery.retries", "type": "int64", "value": 2},
                  {"key": "celery.task_name", "type": "string", "value": "add"},
                  {"key": "error", "type": "bool", "value": true}],
         "logs": [{"timestamp": 1700000000000002, "fields": [
            {"key": "event", "type": "string", "value": "exception"},
            {"key": "exception.type", "type": "string", "value": "shop.Empty"}]}]},
        {"traceID": "nothing", "spanID": "00f067aa0ba902b7"}],
        "processes": {"p1": {"serviceName": "order-api", "tags": [
            {"key": "telemetry.sdk.language", "type": "string", "value": "python"},
            {"key": "process.pid", "type": "int64", "value": 7}]}}}]}"#;

    fn told(text: &str) -> (Told, Result<Counts, DecodeError>) {
        let mut told = Told::default();
        let counts = decode(text.as_bytes(), 1 << 16, &mut told, |_| {});
        (told, counts)
    }

    #[test]
    fn a_download_is_read_with_what_stands_in_tags() {
        let (told, counts) = told(DOWNLOAD);
        let counts = counts.expect("a download");
        assert_eq!(counts, Counts { spans: 1, refused: 1, ..Counts::default() });
        assert_eq!(
            told.lines,
            [
                "order-api python Some(7)",
                "opentelemetry.instrumentation.celery",
                "apply_async/add Producer 00f067aa0ba902b7 below 00f067aa0ba902b6, 5000 ns, Error, \
                 add Some(2), [0000000000000000a3ce929d0e0e4736], [Empty]",
                " ? None",
                "trace-id at data[0].spans[1]",
            ]
        );
    }

    #[test]
    fn one_trace_by_itself_and_a_list_of_traces_are_read_too() {
        let trace =
            DOWNLOAD.strip_prefix(r#"{"data": ["#).and_then(|rest| rest.strip_suffix("]}")).expect("one");
        assert_eq!(told(trace).1.expect("a trace").spans, 1);
        assert_eq!(told(&format!("[{trace}, {trace}]")).1.expect("two traces").spans, 2);
    }

    /// Grafana multiplies milliseconds, which it has as a double.
    #[test]
    fn a_time_with_a_fraction_is_a_time() {
        let text = DOWNLOAD
            .replace("1700000000000001", "1700000000000001.2")
            .replace(r#""duration": 5"#, r#""duration": 5.001"#);
        assert!(told(&text).0.lines[2].contains("5001 ns"), "{:?}", told(&text).0.lines);
    }

    #[test]
    fn a_trace_without_end_takes_no_other_with_it_that_came_before() {
        let trace =
            DOWNLOAD.strip_prefix(r#"{"data": ["#).and_then(|rest| rest.strip_suffix("]}")).expect("one");
        let long = format!(r#"{{"traceID": "ab", "spans": [{}1]}}"#, "1,".repeat(1 << 16));
        let (told, counts) = told(&format!(r#"{{"data": [{trace}, {long}]}}"#));
        assert!(matches!(counts, Err(DecodeError::TooLong)), "{counts:?}");
        assert_eq!(told.lines.len(), 5);
    }

    proptest! {
        #[test]
        fn no_cut_panics(at in 0..DOWNLOAD.len(), with in "[\\[\\]{}\",:0-9a-z]{0,8}") {
            let text = format!("{}{with}{}", &DOWNLOAD[..at], &DOWNLOAD[at..]);
            let _ = told(&text);
            let _ = told(&DOWNLOAD[..at]);
        }
    }
}
