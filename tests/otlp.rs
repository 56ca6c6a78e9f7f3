//! Our reading of OTLP against an independent one: `opentelemetry-proto` with
//! prost, on requests of any content and on every capture of the corpus.

use std::fmt::Write;
use std::path::Path;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status};
use proptest::prelude::*;
use prost::Message;
use tracelink::model::{Invalid, ParentOrigin, Resource, Scope, Span, SpanKind, SpanStatus};
use tracelink::wire::otlp::{Sink, count_metrics_json, decode_json, decode_protobuf};
use tracelink::wire::url::without_secrets;

/// Writes down what it is told.
#[derive(Default)]
struct Told(String);

impl Sink for Told {
    fn resource(&mut self, resource: &Resource<'_>) {
        let _ = writeln!(self.0, "resource {} {:?}", resource.service, resource.instance);
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        let _ = writeln!(self.0, "scope {} {}", scope.name, scope.version);
    }

    fn span(&mut self, span: &Span<'_>) {
        let _ = writeln!(
            self.0,
            "span {} {} {:?} {:?} {:?} {} {:?} {:?} {:?} {:?} {:?}",
            span.trace_id,
            span.span_id,
            span.parent_id,
            span.parent_origin,
            span.kind,
            span.name,
            span.start,
            span.end.max(span.start),
            span.status,
            span.message_id,
            span.task
        );
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        let _ = writeln!(self.0, "refused {} {at}", why.label());
    }
}

/// The same, told from prost's structs.
fn told_by_prost(request: &ExportTraceServiceRequest) -> String {
    let mut told = Told::default();
    for (r, resource_spans) in request.resource_spans.iter().enumerate() {
        let attributes = resource_spans.resource.iter().flat_map(|resource| &resource.attributes);
        let mut resource = Resource::default();
        for attribute in attributes {
            match (attribute.key.as_str(), text(attribute)) {
                ("service.name", Some(name)) => resource.service = name.into(),
                ("service.instance.id", Some(id)) => resource.instance = Some(id.into()),
                _ => {}
            }
        }
        told.resource(&resource);
        for (s, scope_spans) in resource_spans.scope_spans.iter().enumerate() {
            let scope = scope_spans.scope.clone().unwrap_or_default();
            told.scope(&Scope { name: scope.name.into(), version: scope.version.into() });
            for (n, span) in scope_spans.spans.iter().enumerate() {
                let at = format!("resourceSpans[{r}].scopeSpans[{s}].spans[{n}]");
                match ours(span) {
                    Ok(span) => told.span(&span),
                    Err(why) => told.refused(why, &at),
                }
            }
        }
    }
    told.0
}

fn text(attribute: &KeyValue) -> Option<String> {
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn ours(span: &ProtoSpan) -> Result<Span<'static>, Invalid> {
    use tracelink::model::{SpanId, Timestamp, TraceId};
    let trace_id: [u8; 16] = span.trace_id.as_slice().try_into().map_err(|_| Invalid::TraceId)?;
    if trace_id == [0; 16] {
        return Err(Invalid::TraceId);
    }
    let span_id: [u8; 8] = span.span_id.as_slice().try_into().map_err(|_| Invalid::SpanId)?;
    if span_id == [0; 8] {
        return Err(Invalid::SpanId);
    }
    let parent: Option<[u8; 8]> = span.parent_span_id.as_slice().try_into().ok().filter(|id| *id != [0; 8]);
    // Of equal keys the last one counts.
    let find = |keys: &[&str]| {
        let mut named =
            span.attributes.iter().rev().filter(|attribute| keys.contains(&attribute.key.as_str()));
        // A text with a `?` in it may look like a URL with a query.
        named.next().and_then(text).map(|text| without_secrets(text.into()))
    };
    Ok(Span {
        trace_id: TraceId::new(trace_id),
        span_id: SpanId::new(span_id),
        parent_id: parent.map(SpanId::new),
        parent_origin: match span.flags & 0x300 {
            0x100 => ParentOrigin::Local,
            0x300 => ParentOrigin::Remote,
            _ => ParentOrigin::Unknown,
        },
        kind: SpanKind::from_otlp(span.kind),
        name: without_secrets(span.name.clone().into()),
        start: Timestamp::from_nanos(span.start_time_unix_nano),
        end: Timestamp::from_nanos(span.end_time_unix_nano),
        status: match span.status.as_ref().map_or(0, |status| status.code) {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        },
        message_id: find(&["messaging.message.id", "messaging.message_id"]),
        task: find(&["celery.task_name"]),
        ..Span::default()
    })
}

fn attribute() -> impl Strategy<Value = KeyValue> {
    let key = prop_oneof![
        Just("messaging.message.id".to_owned()),
        Just("celery.task_name".to_owned()),
        Just("service.name".to_owned()),
        "[a-z.]{0,8}",
    ];
    let value = prop_oneof![
        "\\PC{0,12}".prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        any::<f64>().prop_map(Value::DoubleValue),
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(Value::BytesValue),
    ];
    (key, value).prop_map(|(key, value)| KeyValue {
        key,
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    })
}

fn id(right: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => proptest::collection::vec(any::<u8>(), right..=right), 1 => proptest::collection::vec(any::<u8>(), 0..20), 1 => Just(vec![0; right])]
}

fn span() -> impl Strategy<Value = ProtoSpan> {
    let head = (
        id(16),
        id(8),
        prop_oneof![Just(Vec::new()), id(8)],
        "\\PC{0,16}",
        0..7_i32,
        any::<u64>(),
        any::<u64>(),
    );
    (head, proptest::collection::vec(attribute(), 0..6), any::<u32>(), 0..4_i32).prop_map(
        |((trace_id, span_id, parent_span_id, name, kind, start, end), attributes, flags, code)| ProtoSpan {
            trace_id,
            span_id,
            parent_span_id,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            flags,
            status: Some(Status { code, message: String::new() }),
            ..ProtoSpan::default()
        },
    )
}

fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans =
        (proptest::collection::vec(span(), 0..4), "[a-z]{0,5}").prop_map(|(spans, name)| ScopeSpans {
            scope: Some(InstrumentationScope { name, ..InstrumentationScope::default() }),
            spans,
            ..ScopeSpans::default()
        });
    let resource_spans =
        (proptest::collection::vec(scope_spans, 0..3), proptest::collection::vec(attribute(), 0..4))
            .prop_map(|(scope_spans, attributes)| ResourceSpans {
                resource: Some(ProtoResource { attributes, ..ProtoResource::default() }),
                scope_spans,
                ..ResourceSpans::default()
            });
    proptest::collection::vec(resource_spans, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn our_visitor_tells_what_prost_reads(request in request()) {
        let mut told = Told::default();
        decode_protobuf(&request.encode_to_vec(), &mut told).expect("prost wrote it");
        prop_assert_eq!(told.0, told_by_prost(&request));
    }

    #[test]
    fn a_request_that_is_cut_anywhere_is_an_error_or_less(request in request(), cut in any::<prop::sample::Index>()) {
        let bytes = request.encode_to_vec();
        let cut = if bytes.is_empty() { 0 } else { cut.index(bytes.len()) };
        let mut told = Told::default();
        let ours = decode_protobuf(&bytes[..cut], &mut told);
        if ExportTraceServiceRequest::decode(&bytes[..cut]).is_ok() {
            prop_assert!(ours.is_ok());
        }
    }
}

#[test]
fn the_corpus_says_the_same_in_json_in_protobuf_and_to_prost() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/corpus");
    let mut compared = 0;
    for case in std::fs::read_dir(corpus).expect("the corpus") {
        let case = case.expect("readable").path();
        let Ok(lines) = std::fs::read_to_string(case.join("spans.jsonl")) else { continue };
        let mut files: Vec<_> = std::fs::read_dir(&case)
            .expect("readable")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "binpb"))
            .collect();
        files.sort();
        assert_eq!(files.len(), lines.lines().count(), "{}", case.display());
        for (number, (line, file)) in lines.lines().zip(files).enumerate() {
            let bytes = std::fs::read(file).expect("the same request");
            let (mut json, mut protobuf) = (Told::default(), Told::default());
            decode_json(line.as_bytes(), &mut json).expect("JSON");
            decode_protobuf(&bytes, &mut protobuf).expect("protobuf");
            let request = ExportTraceServiceRequest::decode(bytes.as_slice()).expect("protobuf");
            assert_eq!(protobuf.0, told_by_prost(&request), "{} {number}", case.display());
            assert_eq!(json.0, protobuf.0, "{} {number}", case.display());
            compared += 1;
        }
    }
    assert!(compared > 300, "only {compared} requests were compared");
}

/// The most memory that this process ever had, in KiB.
#[cfg(target_os = "linux")]
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn a_request_of_empty_objects_takes_no_more_memory_than_its_bytes() {
    let many = |count: usize| "{},".repeat(count) + "{}";
    let ids = r#""traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7""#;
    let spans = |spans: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    // Three bytes each, of which a list that is read as a whole makes hundreds.
    let count = 1_000_000;
    let bodies = [
        format!(r#"{{"resourceSpans":[{}]}}"#, many(count)),
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{}]}}]}}"#, many(count)),
        spans(&many(count)),
        spans(&format!(r#"{{{ids},"attributes":[{}]}}"#, many(count))),
        spans(&format!(r#"{{{ids},"events":[{}]}}"#, many(count))),
        spans(&format!(r#"{{{ids},"links":[{}]}}"#, many(count))),
        spans(&format!(r#"{{{ids},"name":[{}]}}"#, many(count))),
    ];
    let metrics = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{}]}}]}}]}}"#, many(count));
    let before = peak_kib();
    for body in &bodies {
        decode_json(body.as_bytes(), &mut Nobody).expect("lenient");
    }
    assert_eq!(count_metrics_json(metrics.as_bytes()).expect("lenient"), 0);
    let grown = peak_kib().saturating_sub(before);
    assert!(grown < 64 << 10, "grown by {grown} KiB");
}

struct Nobody;

impl Sink for Nobody {
    fn resource(&mut self, _: &Resource<'_>) {}
    fn scope(&mut self, _: &Scope<'_>) {}
    fn span(&mut self, _: &Span<'_>) {}
    fn refused(&mut self, _: Invalid, _: &str) {}
}
