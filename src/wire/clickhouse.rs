//! Spans as ClickHouse answers with them: a row a line in its format `JSONCompactEachRow`
//! (<https://clickhouse.com/docs/interfaces/formats/JSONCompactEachRow>). Which columns a
//! row has, and in which order, is [`Column`]; how a store's own tables give them is the
//! matter of `query/clickhouse/`.
//!
//! Attributes come as two lists of texts, in the order of [`ATTRIBUTES`] and [`RESOURCE`]:
//! only what diagnoses read is asked for. An empty text is an attribute that is not there.

use std::borrow::Cow;

use serde::Deserialize;

use super::json::Loose;
use super::otlp::attributes::{self, ExceptionEvent};
use super::otlp::{Counts, DecodeError, Sink, give_at};
use super::tags;
use crate::model::{
    AttributeValue, Invalid, ParentOrigin, Resource, Sampling, Scope, Span, SpanContext, SpanStatus,
    Timestamp,
};

/// The columns of a row, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Column {
    TraceId,
    SpanId,
    /// Empty for a root.
    ParentId,
    /// `Span.flags` of OTLP; 0 where the store has none.
    Flags,
    /// By its name, such as `Server`.
    Kind,
    Name,
    /// Nanoseconds since the epoch.
    Start,
    /// Nanoseconds.
    Duration,
    /// By its name, such as `Error`.
    Status,
    StatusMessage,
    TraceState,
    ScopeName,
    ScopeVersion,
    /// A list each: the trace ids and the span ids of the links.
    LinkTraces,
    LinkSpans,
    /// A list each: the types and the messages of the exceptions.
    ExceptionTypes,
    ExceptionMessages,
    /// How many events there are.
    Events,
    /// The values of [`ATTRIBUTES`].
    Attributes,
    /// The values of [`RESOURCE`].
    Resource,
}

impl Column {
    pub const ALL: [Self; 20] = [
        Self::TraceId,
        Self::SpanId,
        Self::ParentId,
        Self::Flags,
        Self::Kind,
        Self::Name,
        Self::Start,
        Self::Duration,
        Self::Status,
        Self::StatusMessage,
        Self::TraceState,
        Self::ScopeName,
        Self::ScopeVersion,
        Self::LinkTraces,
        Self::LinkSpans,
        Self::ExceptionTypes,
        Self::ExceptionMessages,
        Self::Events,
        Self::Attributes,
        Self::Resource,
    ];
}

/// The attributes of a span that diagnoses read.
pub const ATTRIBUTES: &[&str] = &[
    "celery.action",
    "celery.task_name",
    "messaging.message.id",
    "messaging.message_id",
    "messaging.destination",
    "messaging.destination.name",
    "celery.exchange",
    "celery.hostname",
    "celery.state",
    "celery.retries",
    "task.retry_count",
    "celery.delivery_info",
    WILL_RETRY,
    "celery.retry.reason",
    "http.response.status_code",
    "http.status_code",
    "messaging.system",
    "db.system",
    "db.system.name",
    "rpc.system",
    "db.operation",
    "db.operation.name",
    "peer.service",
    "server.address",
    "net.peer.name",
    "logfire.span_type",
    FINGERPRINT,
];

/// The attributes of a resource that diagnoses read, the name of the service first.
pub const RESOURCE: &[&str] = &[
    "service.name",
    "service.instance.id",
    "telemetry.sdk.language",
    "telemetry.sdk.version",
    PID,
    "host.name",
    "telemetry.distro.name",
    "logfire.version",
    "telemetry.auto.version",
];

/// Attributes that are no texts in OTLP. A store may keep all values as texts.
const WILL_RETRY: &str = "task.will_retry";
const PID: &str = "process.pid";
const FINGERPRINT: &str = attributes::FINGERPRINT;

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    trace_id: Loose<'a>,
    #[serde(borrow)]
    span_id: Loose<'a>,
    #[serde(borrow)]
    parent_id: Loose<'a>,
    #[serde(borrow)]
    flags: Loose<'a>,
    #[serde(borrow)]
    kind: Loose<'a>,
    #[serde(borrow)]
    name: Loose<'a>,
    #[serde(borrow)]
    start: Loose<'a>,
    #[serde(borrow)]
    duration: Loose<'a>,
    #[serde(borrow)]
    status: Loose<'a>,
    #[serde(borrow)]
    status_message: Loose<'a>,
    #[serde(borrow)]
    trace_state: Loose<'a>,
    #[serde(borrow)]
    scope_name: Loose<'a>,
    #[serde(borrow)]
    scope_version: Loose<'a>,
    #[serde(borrow)]
    link_traces: Vec<Loose<'a>>,
    #[serde(borrow)]
    link_spans: Vec<Loose<'a>>,
    #[serde(borrow)]
    exception_types: Vec<Loose<'a>>,
    #[serde(borrow)]
    exception_messages: Vec<Loose<'a>>,
    #[serde(borrow)]
    events: Loose<'a>,
    #[serde(borrow)]
    attributes: Vec<Loose<'a>>,
    #[serde(borrow)]
    resource: Vec<Loose<'a>>,
}

/// Reads rows of spans, one at a time, and knows which process and scope the last one had.
#[derive(Default, Debug)]
pub struct SpanRows {
    resource: Option<Resource<'static>>,
    scope: Option<Scope<'static>>,
    rows: u64,
}

impl SpanRows {
    /// Reads one row, without its line break, and gives its span to the sink.
    ///
    /// # Errors
    ///
    /// [`DecodeError::Json`] where it is no such row. Nothing has gone to the sink then.
    pub fn read(&mut self, line: &[u8], sink: &mut impl Sink) -> Result<Counts, DecodeError> {
        // ClickHouse's texts are bytes, and its JSON has them as they are.
        let line = String::from_utf8_lossy(line);
        let row: Row<'_> = serde_json::from_str(&line)?;
        let at = self.rows;
        self.rows += 1;
        let resource = resource(&row.resource);
        if self.resource.as_ref() != Some(&resource) {
            sink.resource(&resource);
            self.resource = Some(owned(resource));
            self.scope = None;
        }
        let scope = Scope { name: row.scope_name.text().into(), version: row.scope_version.text().into() };
        if self.scope.as_ref() != Some(&scope) {
            sink.scope(&scope);
            let Scope { name, version } = scope;
            self.scope = Some(Scope { name: name.into_owned().into(), version: version.into_owned().into() });
        }
        let mut counts = Counts::default();
        give_at(span(row), || format!("row {at}"), &mut counts, sink);
        Ok(counts)
    }
}

fn owned(resource: Resource<'_>) -> Resource<'static> {
    let keep = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
    Resource {
        service: Cow::Owned(resource.service.into_owned()),
        instance: keep(resource.instance),
        language: keep(resource.language),
        sdk_version: keep(resource.sdk_version),
        pid: resource.pid,
        host: keep(resource.host),
        distribution: keep(resource.distribution),
        is_zero_code: resource.is_zero_code,
    }
}

/// The values that are there, with their keys.
fn present<'r, 'a>(
    keys: &'static [&'static str],
    values: &'r [Loose<'a>],
) -> impl Iterator<Item = (&'static str, &'r Loose<'a>)> {
    let there = |value: &Loose<'_>| match value {
        Loose::Nothing => false,
        Loose::Text(text) => !text.is_empty(),
        _ => true,
    };
    keys.iter().copied().zip(values).filter(move |(_, value)| there(value))
}

fn resource<'r>(values: &'r [Loose<'_>]) -> Resource<'r> {
    let mut resource = Resource::default();
    for (key, value) in present(RESOURCE, values) {
        let value = match value.int().and_then(|pid| i64::try_from(pid).ok()).filter(|_| key == PID) {
            Some(pid) => AttributeValue::Int(pid),
            None => AttributeValue::Text(value.text().into()),
        };
        attributes::fill_resource(&mut resource, key, value);
    }
    resource
}

fn span(row: Row<'_>) -> Result<Span<'_>, Invalid> {
    let mut span = Span {
        trace_id: tags::trace_id(row.trace_id.text()).ok_or(Invalid::TraceId)?,
        span_id: tags::span_id(row.span_id.text()).ok_or(Invalid::SpanId)?,
        ..Span::default()
    };
    let parent = row.parent_id.text();
    span.parent_id = tags::span_id(parent);
    // A root has an empty id, or one of zeros only.
    if span.parent_id.is_none() && parent.bytes().any(|digit| digit != b'0') {
        span.flaw = Some(Invalid::ParentId);
    }
    let flags = row.flags.int().and_then(|flags| u32::try_from(flags).ok());
    span.parent_origin = flags.map_or(ParentOrigin::Unknown, ParentOrigin::from_flags);
    let kind = row.kind.text();
    span.kind = tags::kind_of(kind.strip_prefix("SPAN_KIND_").unwrap_or(kind)).unwrap_or_default();
    span.name = row.name.into_text();
    let nanos = |number: &Loose<'_>| number.int().and_then(|nanos| u64::try_from(nanos).ok()).unwrap_or(0);
    let start = nanos(&row.start);
    span.start = Timestamp::from_nanos(start);
    span.end = Timestamp::from_nanos(start.saturating_add(nanos(&row.duration)));
    let status = row.status.text();
    span.status = match status.strip_prefix("STATUS_CODE_").unwrap_or(status) {
        status if status.eq_ignore_ascii_case("ok") => SpanStatus::Ok,
        status if status.eq_ignore_ascii_case("error") => SpanStatus::Error,
        _ => SpanStatus::Unset,
    };
    span.status_message = attributes::status_message(row.status_message.into_text());
    span.trace_state = row.trace_state.into_text();
    for (of, to) in row.link_traces.iter().zip(&row.link_spans).take(attributes::LINKS) {
        if let Some((trace_id, span_id)) = tags::trace_id(of.text()).zip(tags::span_id(to.text())) {
            span.links.push(SpanContext { trace_id, span_id, sampling: Sampling::Deferred });
        }
    }
    for (kind, message) in row.exception_types.iter().zip(&row.exception_messages) {
        if span.exceptions.len() < attributes::EXCEPTIONS {
            let mut exception = ExceptionEvent::default();
            exception.fill("exception.type", AttributeValue::Text(kind.text().into()));
            exception.fill("exception.message", AttributeValue::Text(message.text().into()));
            span.exceptions.extend(exception.finish());
        }
    }
    let mut values = row.attributes;
    values.truncate(ATTRIBUTES.len());
    for (key, value) in ATTRIBUTES.iter().copied().zip(values) {
        let value = match (key, value) {
            (_, Loose::Nothing) => continue,
            (_, Loose::Text(text)) if text.is_empty() => continue,
            (WILL_RETRY, Loose::Text(text)) => AttributeValue::Bool(text == "true" || text == "1"),
            (FINGERPRINT, value) => match value.int().and_then(|hash| i64::try_from(hash).ok()) {
                Some(hash) => AttributeValue::Int(hash),
                None => continue,
            },
            (_, value) => value.into_attribute(),
        };
        attributes::fill(&mut span, key, value);
    }
    let events = row.events.int().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
    attributes::finish(&mut span, events);
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tags::tests::Told;

    fn values(keys: &[&str], given: &[(&str, &str)]) -> String {
        let value = |key: &&str| given.iter().find(|(given, _)| given == key).map_or("", |(_, value)| value);
        let values: Vec<_> = keys.iter().map(|key| format!("{:?}", value(key))).collect();
        format!("[{}]", values.join(","))
    }

    fn row() -> String {
        let attributes = values(
            ATTRIBUTES,
            &[("celery.task_name", "add"), ("celery.retries", "2"), ("task.will_retry", "true")],
        );
        let resource = values(
            RESOURCE,
            &[("service.name", "order-api"), ("telemetry.sdk.language", "python"), ("process.pid", "7")],
        );
        format!(
            r#"["4bf92f3577b34da6a3ce929d0e0e4736","00f067aa0ba902b7","00f067aa0ba902b6",768,"Consumer","run/add","1700000000000000001",5,"Error","","","opentelemetry.instrumentation.celery","0.55b0",["4bf92f3577b34da6a3ce929d0e0e4737"],["00f067aa0ba902b5"],["shop.Empty"],["no stock"],1,{attributes},{resource}]"#
        )
    }

    #[test]
    fn a_row_is_a_span_with_its_process_and_scope() {
        let mut told = Told::default();
        let mut rows = SpanRows::default();
        for _ in 0..2 {
            assert_eq!(rows.read(row().as_bytes(), &mut told).expect("a row").spans, 1);
        }
        let span = "run/add Consumer 00f067aa0ba902b7 below 00f067aa0ba902b6, 5 ns, Error, add Some(2), \
                    [4bf92f3577b34da6a3ce929d0e0e4737], [Empty]";
        // A process and a scope are told once.
        let lines = ["order-api python Some(7)", "opentelemetry.instrumentation.celery", span, span];
        assert_eq!(told.lines, lines);
    }

    #[test]
    fn flags_say_where_a_parent_is_and_zeros_are_no_parent() {
        struct Kept(Vec<(ParentOrigin, bool, Option<Invalid>)>);
        impl Sink for Kept {
            fn resource(&mut self, _: &Resource<'_>) {}
            fn scope(&mut self, _: &Scope<'_>) {}
            fn span(&mut self, span: &Span<'_>) {
                self.0.push((span.parent_origin, span.parent_id.is_some(), span.flaw));
            }
            fn refused(&mut self, _: Invalid, _: &str) {}
        }
        let mut kept = Kept(Vec::new());
        let root = row().replace("00f067aa0ba902b6", "0000000000000000").replace("768", "\"0\"");
        let odd = row().replace("00f067aa0ba902b6", "parent");
        for line in [row(), root, odd] {
            SpanRows::default().read(line.as_bytes(), &mut kept).expect("a row");
        }
        let remote = ParentOrigin::Remote;
        assert_eq!(
            kept.0,
            [
                (remote, true, None),
                (ParentOrigin::Unknown, false, None),
                (remote, false, Some(Invalid::ParentId))
            ]
        );
    }

    #[test]
    fn what_is_no_row_is_an_error_and_what_is_no_id_is_refused() {
        let mut told = Told::default();
        let mut rows = SpanRows::default();
        for line in ["", "[]", "{}", "null", "[1,2,3]", "Code: 241. DB::Exception: Memory limit"] {
            assert!(rows.read(line.as_bytes(), &mut told).is_err(), "{line}");
        }
        let strange = row().replace("4bf92f3577b34da6a3ce929d0e0e4736", "\\u001b[2J");
        assert_eq!(rows.read(strange.as_bytes(), &mut told).expect("a row").refused, 1);
        // Bytes that are no text are replaced, and the row is read.
        let torn = row().replace("run/add", "run/%").into_bytes();
        let torn: Vec<u8> = torn.into_iter().map(|byte| if byte == b'%' { 0xff } else { byte }).collect();
        assert_eq!(rows.read(&torn, &mut told).expect("a row").spans, 1);
    }
}
