//! OTLP in protobuf: our visitor and prost.

use std::hash::BuildHasherDefault;

use memchr::memmem;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use prost::Message;
use rustc_hash::FxHasher;
use serde::de::IgnoredAny;

use super::told::Told;
use crate::model::{HIDDEN, Invalid, ParentOrigin, Resource, Scope, Span, SpanKind, SpanStatus, Timestamp};
use crate::wire::context::baggage;
use crate::wire::otlp::{
    Counts, DecodeError, Redacted, Sink, count_logs_protobuf, count_metrics_protobuf, decode_json,
    decode_protobuf, transcode,
};
use crate::wire::url::without_secrets;

/// What prost takes, we take, and say the same of it: of the bytes as they are, and of what
/// prost writes of them. The JSON that is saved with `--save-attributes` is the request to
/// its own reader, and a span that is saved redacted reads back as what is kept of it.
pub fn otlp_protobuf(bytes: &[u8]) {
    let _ = count_metrics_protobuf(bytes);
    let _ = count_logs_protobuf(bytes);
    let json = transcoded(bytes);
    serde_json::from_slice::<IgnoredAny>(&json).expect("any bytes become JSON");
    let read = hold_saved(bytes);
    let Ok(request) = ExportTraceServiceRequest::decode(bytes) else { return };
    let counts = read.expect("prost takes it");

    let mut independent = Few::default();
    decode_protobuf(bytes, &mut independent).expect("it was read");
    assert_eq!(independent, Few::by_prost(&request), "{request:?}");

    let canonical = request.encode_to_vec();
    // Of the same bytes the same would be said again, which takes most of the time.
    let json = if canonical == bytes {
        json
    } else {
        let [mut ours, mut rewritten] = [Told::default(), Told::default()];
        decode_protobuf(bytes, &mut ours).expect("it was read");
        let again = decode_protobuf(&canonical, &mut rewritten).expect("prost wrote it");
        assert_eq!((ours, counts), (rewritten, again), "{request:?}");
        transcoded(&canonical)
    };

    // Its reader takes no number as a text, which is how JSON has the other doubles, and
    // rounds the last bit of those that it takes.
    if memmem::find(&json, b"doubleValue").is_none() {
        let read: ExportTraceServiceRequest = serde_json::from_slice(&json).expect("its reader takes it");
        let is_same =
            read == request || (is_of_other_signals(&request) && transcoded(&read.encode_to_vec()) == json);
        assert!(is_same, "{request:?}\n{}", String::from_utf8_lossy(&json));
    }
}

/// Whether a request has what the specification has only for other signals, and what is not
/// saved of a trace: indices into the strings of a profile, and entities.
fn is_of_other_signals(request: &ExportTraceServiceRequest) -> bool {
    let text = format!("{request:?}");
    let mut indices = text.split("key_strindex: ").skip(1);
    text.contains("StringValueStrindex(")
        || text.contains("EntityRef {")
        || indices.any(|index| !index.starts_with("0 "))
}

fn transcoded(bytes: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    transcode(bytes, &mut json).expect("memory takes it");
    json
}

/// Reads what is saved of a request, and compares it with what is kept of one that is whole.
fn hold_saved(bytes: &[u8]) -> Result<Counts, DecodeError> {
    let mut saved = Vec::new();
    let key = BuildHasherDefault::<FxHasher>::default();
    let mut redacted = Redacted::new(&mut saved, &key);
    let counts = decode_protobuf(bytes, &mut redacted);
    redacted.finish().expect("memory takes it");
    let mut read = Kept::default();
    decode_json(&saved, &mut read).expect("we wrote it");
    if counts.is_ok() {
        let mut kept = Kept::default();
        decode_protobuf(bytes, &mut kept).expect("it was read");
        let text = String::from_utf8_lossy(&saved);
        assert!(kept == read, "kept {:?}\nread {:?}\nof {text}", kept.0, read.0);
    }
    counts
}

/// What is kept of each span, without what a saved one cannot have.
#[derive(Default, PartialEq, Eq, Debug)]
struct Kept(Vec<String>);

impl Sink for Kept {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.0.push(format!("{resource:?}"));
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        if scope.name.starts_with("opentelemetry.instrumentation.") {
            self.0.push(format!("{scope:?}"));
        }
    }

    fn span(&mut self, span: &Span<'_>) {
        let kept = span.redacted().unwrap_or_else(|| span.clone());
        let trace_state = baggage::without_values(&kept.trace_state).into();
        self.0.push(format!("{:?}", Span { trace_state, fingerprint: 0, whole: None, ..kept }));
    }

    fn refused(&mut self, why: Invalid, _: &str) {
        self.0.push(format!("{why:?}"));
    }
}

/// A few fields of each span, which a second reader takes from prost's structs.
#[derive(Default, PartialEq, Eq, Debug)]
struct Few(Vec<String>);

impl Sink for Few {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.0.push(format!("{} {:?}", resource.service, resource.instance));
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.0.push(format!("{} {}", scope.name, scope.version));
    }

    fn span(&mut self, span: &Span<'_>) {
        let Span { trace_id, span_id, parent_id, kind, start, end, .. } = span;
        let of_span = format!("{trace_id} {span_id} {parent_id:?} {kind:?} {start:?} {end:?}");
        let Span { parent_origin, status, message_id, task, .. } = span;
        let of_task = format!("{parent_origin:?} {status:?} {message_id:?} {task:?}");
        self.0.push(format!("{of_span} {of_task} {} {}", span.name, span.links.len()));
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.0.push(format!("{why:?} {at}"));
    }

    fn announced(&mut self) {
        self.0.push(HIDDEN.to_owned());
    }
}

impl Few {
    fn by_prost(request: &ExportTraceServiceRequest) -> Self {
        let mut few = Self::default();
        for (r, resource_spans) in request.resource_spans.iter().enumerate() {
            let attributes = resource_spans.resource.iter().flat_map(|resource| &resource.attributes);
            let attributes: Vec<_> = attributes.cloned().collect();
            few.resource(&Resource {
                service: start(last_text(&attributes, "service.name").unwrap_or_default(), 256).into(),
                instance: last_text(&attributes, "service.instance.id").map(|id| start(id, 256).into()),
                ..Resource::default()
            });
            for (s, scope_spans) in resource_spans.scope_spans.iter().enumerate() {
                let scope = scope_spans.scope.clone().unwrap_or_default();
                few.scope(&Scope { name: scope.name.into(), version: scope.version.into() });
                for (n, span) in scope_spans.spans.iter().enumerate() {
                    match few_of(span) {
                        Ok(_) if is_pending(span) => few.announced(),
                        Ok(span) => few.span(&span),
                        Err(why) => {
                            few.refused(why, &format!("resourceSpans[{r}].scopeSpans[{s}].spans[{n}]"));
                        }
                    }
                }
            }
        }
        few
    }
}

fn few_of(span: &ProtoSpan) -> Result<Span<'static>, Invalid> {
    use crate::model::{SpanId, TraceId};
    let trace_id = |id: &[u8]| id.try_into().ok().filter(|id| *id != [0; 16]).map(TraceId::new);
    let span_id = |id: &[u8]| id.try_into().ok().filter(|id| *id != [0; 8]).map(SpanId::new);
    let name = without_secrets(span.name.clone().into()).into_owned();
    let value = |keys: [&str; 2]| {
        let of_key = |pair: &&KeyValue| keys.contains(&&*pair.key);
        let text = text_of(span.attributes.iter().rev().find(of_key)?)?;
        Some(without_secrets(start(text, 256).to_owned().into()).into_owned().into())
    };
    let has_ids = |link: &&opentelemetry_proto::tonic::trace::v1::span::Link| {
        trace_id(&link.trace_id).is_some() && span_id(&link.span_id).is_some()
    };
    let links = span.links.iter().filter(has_ids).take(128).map(|_| crate::model::SpanContext {
        trace_id: TraceId::default(),
        span_id: SpanId::default(),
        sampling: crate::model::Sampling::Deferred,
    });
    Ok(Span {
        trace_id: trace_id(&span.trace_id).ok_or(Invalid::TraceId)?,
        span_id: span_id(&span.span_id).ok_or(Invalid::SpanId)?,
        parent_id: span_id(&span.parent_span_id),
        parent_origin: match span.flags & 0x300 {
            0x100 => ParentOrigin::Local,
            0x300 => ParentOrigin::Remote,
            _ => ParentOrigin::Unknown,
        },
        kind: match span.kind {
            1 => SpanKind::Internal,
            2 => SpanKind::Server,
            3 => SpanKind::Client,
            4 => SpanKind::Producer,
            5 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        },
        name: start(&name, 1024).to_owned().into(),
        start: Timestamp::from_nanos(span.start_time_unix_nano),
        end: Timestamp::from_nanos(span.end_time_unix_nano.max(span.start_time_unix_nano)),
        status: match span.status.as_ref().map_or(0, |status| status.code) {
            1 => SpanStatus::Ok,
            2 => SpanStatus::Error,
            _ => SpanStatus::Unset,
        },
        message_id: value(["messaging.message.id", "messaging.message_id"]),
        task: value(["celery.task_name", "celery.task_name"]),
        links: links.collect(),
        ..Span::default()
    })
}

/// Whether the last word on it is that it only announces another.
fn is_pending(span: &ProtoSpan) -> bool {
    let kind = span.attributes.iter().rev().find(|pair| pair.key == "logfire.span_type");
    kind.and_then(text_of) == Some("pending_span")
}

/// The last text under a key of a resource; what is no text there does not count.
fn last_text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    attributes.iter().rev().filter(|pair| pair.key == key).find_map(text_of)
}

fn text_of(pair: &KeyValue) -> Option<&str> {
    match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn start(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}
