//! A table of spans: whose it is, and the expressions by which it gives what diagnoses read.

use super::sql::{name, text, texts};
use super::window::Window;
use crate::wire::clickhouse::{ATTRIBUTES, Column, RESOURCE};

/// Whose table it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The Collector exporter's `otel_traces`
    /// (<https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter>).
    Collector,
    /// The same with `json: true`: attributes are columns of the type JSON.
    CollectorJson,
    /// SigNoz's `signoz_index_v3`
    /// (<https://github.com/SigNoz/signoz-otel-collector/tree/main/exporter/clickhousetracesexporter>).
    Signoz,
}

impl Kind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Collector => "otel-collector",
            Self::CollectorJson => "otel-collector-json",
            Self::Signoz => "signoz",
        }
    }
}

/// A table that says from when to when each trace lasted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TraceTimes {
    pub table: String,
    pub trace: &'static str,
    pub start: &'static str,
    pub end: &'static str,
}

/// A table of spans.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpanTable {
    pub database: String,
    pub name: String,
    pub kind: Kind,
    /// Whether its rows lie on other servers too.
    pub is_distributed: bool,
    /// SigNoz: whether it has the column.
    pub(super) has_flags: bool,
    pub(super) has_scope: bool,
    pub(super) has_service: bool,
    pub(super) links: Option<&'static str>,
    pub(super) times: Option<TraceTimes>,
}

/// Attributes that are numbers or flags in OTLP; SigNoz keeps them apart from texts.
const NUMBERS: &[&str] =
    &["celery.retries", "task.retry_count", "http.response.status_code", "http.status_code", "process.pid"];
const FLAGS: &[&str] = &["task.will_retry"];
/// The most characters of an exception's message, of which the last line may be what was
/// raised, and of any other text.
const MESSAGE: usize = 16 << 10;
const TEXT: usize = 4 << 10;

impl SpanTable {
    /// The table, as it stands in a question.
    pub fn path(&self) -> String {
        format!("{}.{}", name(&self.database), name(&self.name))
    }

    /// What such a table does not have, and what follows from it; said once.
    pub fn lacks(&self) -> Vec<&'static str> {
        const NO_FLAGS: &str = "the table has no flags of spans, so it does not say whether a parent is of another \
                                process: what rests on that is a step less sure";
        const NO_SCOPE: &str = "the table has no instrumentation scopes, so which instrumentor made a span shows in \
                                its attributes only: what rests on the scope is not said";
        let mut lacks = Vec::new();
        if !self.tells_remote_parents() {
            lacks.push(NO_FLAGS);
        }
        if self.kind == Kind::Signoz && !self.has_scope {
            lacks.push(NO_SCOPE);
        }
        lacks
    }

    /// Whether it says if a parent is of another process.
    pub const fn tells_remote_parents(&self) -> bool {
        matches!(self.kind, Kind::Signoz) && self.has_flags
    }

    const fn is_signoz(&self) -> bool {
        matches!(self.kind, Kind::Signoz)
    }

    fn by_kind(&self, collector: &'static str, signoz: &'static str) -> &'static str {
        if self.is_signoz() { signoz } else { collector }
    }

    pub(super) fn trace_id(&self) -> &'static str {
        self.by_kind("TraceId", "trace_id")
    }

    pub(super) fn span_id(&self) -> &'static str {
        self.by_kind("SpanId", "span_id")
    }

    pub(super) fn parent_id(&self) -> &'static str {
        self.by_kind("ParentSpanId", "parent_span_id")
    }

    pub(super) fn kind_name(&self) -> &'static str {
        self.by_kind("SpanKind", "kind_string")
    }

    pub(super) fn span_name(&self) -> &'static str {
        self.by_kind("SpanName", "name")
    }

    pub(super) fn status(&self) -> &'static str {
        self.by_kind("StatusCode", "status_code_string")
    }

    pub(super) fn duration(&self) -> &'static str {
        self.by_kind("Duration", "duration_nano")
    }

    pub(super) fn start(&self) -> String {
        format!("toUnixTimestamp64Nano({})", self.by_kind("Timestamp", "timestamp"))
    }

    pub(super) fn service(&self) -> String {
        if self.is_signoz() && self.has_service {
            name("resource_string_service$$name")
        } else if self.is_signoz() {
            self.resource("service.name")
        } else {
            "ServiceName".to_owned()
        }
    }

    /// The task's id: `messaging.message.id`, or what old instrumentors call it.
    pub(super) fn message_id(&self) -> String {
        let [id, old] = ["messaging.message.id", "messaging.message_id"].map(|key| self.attribute(key));
        format!("if({id} != '', {id}, {old})")
    }

    /// An attribute of a span as a text, empty where it is not there.
    pub(super) fn attribute(&self, key: &str) -> String {
        match self.kind {
            Kind::Collector => format!("SpanAttributes[{}]", text(key)),
            Kind::CollectorJson => json("SpanAttributes", key),
            Kind::Signoz => {
                let key_text = text(key);
                let apart = match () {
                    () if NUMBERS.contains(&key) => "attributes_number",
                    () if FLAGS.contains(&key) => "attributes_bool",
                    () => return format!("attributes_string[{key_text}]"),
                };
                format!(
                    "if(mapContains({apart}, {key_text}), toString({apart}[{key_text}]), attributes_string[{key_text}])"
                )
            }
        }
    }

    pub(super) fn resource(&self, key: &str) -> String {
        match self.kind {
            Kind::Collector => format!("ResourceAttributes[{}]", text(key)),
            Kind::CollectorJson => json("ResourceAttributes", key),
            Kind::Signoz => format!("resources_string[{}]", text(key)),
        }
    }

    /// The ids of the traces, or of the spans, that a span links to.
    pub(super) fn links(&self, of_spans: bool) -> String {
        if !self.is_signoz() {
            return if of_spans { "Links.SpanId" } else { "Links.TraceId" }.to_owned();
        }
        let Some(links) = self.links else { return "emptyArrayString()".to_owned() };
        let key = if of_spans { "spanId" } else { "traceId" };
        // The parent is among them.
        format!(
            "arrayMap(one -> JSONExtractString(one, '{key}'), \
             arrayFilter(one -> JSONExtractString(one, 'refType') != 'CHILD_OF', JSONExtractArrayRaw({})))",
            name(links)
        )
    }

    /// The types, or the messages, of the exceptions of a span.
    pub(super) fn exceptions(&self, key: &str) -> String {
        let value = match self.kind {
            Kind::Collector => format!("Events.Attributes[number][{}]", text(key)),
            Kind::CollectorJson => {
                format!("JSONExtractString(toJSONString(Events.Attributes[number]), {})", json_path(key))
            }
            Kind::Signoz => {
                format!("JSONExtractString(events[number], 'attributeMap', {})", text(key))
            }
        };
        let (list, is_exception) = match self.kind {
            Kind::Signoz => ("events", "JSONExtractString(events[number], 'name') = 'exception'"),
            Kind::Collector | Kind::CollectorJson => ("Events.Name", "Events.Name[number] = 'exception'"),
        };
        format!(
            "arrayMap(number -> right({value}, {MESSAGE}), arrayFilter(number -> {is_exception}, arrayEnumerate({list})))"
        )
    }

    /// The condition that a span began within a time, by which partitions and the primary
    /// key leave out the rest.
    pub(super) fn within(&self, window: &Window) -> String {
        /// A bucket of SigNoz, in seconds.
        const BUCKET: i64 = 1_800;
        let (from, to) = (window.from.as_nanos(), window.to.as_nanos());
        let [from, to] = [from, to].map(|nanos| i64::try_from(nanos).unwrap_or(i64::MAX));
        let at = self.by_kind("Timestamp", "timestamp");
        let within = format!(
            "{at} >= fromUnixTimestamp64Nano(toInt64({from})) AND {at} < fromUnixTimestamp64Nano(toInt64({to}))"
        );
        if !self.is_signoz() {
            return within;
        }
        let (first, last) = (from / 1_000_000_000 - BUCKET, to / 1_000_000_000);
        format!("{within} AND ts_bucket_start >= {} AND ts_bucket_start <= {last}", first.max(0))
    }

    /// `IN` behind which another question stands. One that goes to other servers too is asked once.
    pub(super) const fn is_in(&self) -> &'static str {
        if self.is_distributed { "GLOBAL IN" } else { "IN" }
    }

    /// The columns of a row of a span, as `wire/clickhouse.rs` reads it.
    pub(super) fn row(&self) -> String {
        let columns: Vec<_> = Column::ALL.into_iter().map(|column| self.column(column)).collect();
        columns.join(",\n  ")
    }

    fn column(&self, column: Column) -> String {
        let short = |value: String| format!("left({value}, {TEXT})");
        match column {
            // A string of fixed length is filled up with zeros, which JSON escapes.
            Column::TraceId => format!("toString({})", self.trace_id()),
            Column::SpanId => self.span_id().to_owned(),
            Column::ParentId => self.parent_id().to_owned(),
            Column::Flags => if self.tells_remote_parents() { "flags" } else { "0" }.to_owned(),
            Column::Kind => self.kind_name().to_owned(),
            Column::Name => short(self.span_name().to_owned()),
            Column::Start => self.start(),
            Column::Duration => self.duration().to_owned(),
            Column::Status => self.status().to_owned(),
            Column::StatusMessage => short(self.by_kind("StatusMessage", "status_message").to_owned()),
            Column::TraceState => short(self.by_kind("TraceState", "trace_state").to_owned()),
            Column::ScopeName => self.scope("ScopeName", "toString(scope.name)"),
            Column::ScopeVersion => self.scope("ScopeVersion", "toString(scope.version)"),
            Column::LinkTraces => self.links(false),
            Column::LinkSpans => self.links(true),
            Column::ExceptionTypes => self.exceptions("exception.type"),
            Column::ExceptionMessages => self.exceptions("exception.message"),
            Column::Events => format!("length({})", self.by_kind("Events.Name", "events")),
            Column::Attributes => self.attributes(),
            Column::Resource => {
                let service = short(format!("toString({})", self.service()));
                format!("arrayPushFront({}, {service})", self.resource_but_service())
            }
        }
    }

    /// The values of [`ATTRIBUTES`].
    fn attributes(&self) -> String {
        match self.kind {
            Kind::Collector => looked_up("SpanAttributes[key]", ATTRIBUTES),
            Kind::CollectorJson => listed(|key| self.attribute(key), ATTRIBUTES),
            Kind::Signoz => {
                let [numbers, flags] = [NUMBERS, FLAGS].map(|keys| texts(keys.iter().copied()));
                let value = format!(
                    "multiIf(key IN {numbers} AND mapContains(attributes_number, key), toString(attributes_number[key]), \
                     key IN {flags} AND mapContains(attributes_bool, key), toString(attributes_bool[key]), \
                     attributes_string[key])"
                );
                looked_up(&value, ATTRIBUTES)
            }
        }
    }

    /// The values of [`RESOURCE`] without its first, which has a column of its own.
    fn resource_but_service(&self) -> String {
        let keys = &RESOURCE[1..];
        match self.kind {
            Kind::Collector => looked_up("ResourceAttributes[key]", keys),
            Kind::CollectorJson => listed(|key| self.resource(key), keys),
            Kind::Signoz => looked_up("resources_string[key]", keys),
        }
    }

    fn scope(&self, collector: &'static str, signoz: &'static str) -> String {
        match self.is_signoz() {
            false => collector.to_owned(),
            true if self.has_scope => signoz.to_owned(),
            true => "''".to_owned(),
        }
    }
}

/// The values of these keys of a map. They are looked up in a function: where each key stands
/// by itself, recent servers read the whole map once for each of them, which took three times
/// as long (`optimize_functions_to_subcolumns`).
fn looked_up(value: &str, keys: &[&str]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| text(key)).collect();
    format!("arrayMap(key -> left({value}, {TEXT}), [{}])", keys.join(", "))
}

/// The values of these keys, one expression each.
fn listed(value: impl Fn(&str) -> String, keys: &[&str]) -> String {
    let values: Vec<_> = keys.iter().map(|key| format!("left({}, {TEXT})", value(key))).collect();
    format!("[{}]", values.join(", "))
}

/// A value in a column of the type JSON, whose paths are separated by dots as the parts of a
/// key are.
fn json(column: &str, key: &str) -> String {
    let path: Vec<_> = key.split('.').map(name).collect();
    format!("ifNull(toString({column}.{}), '')", path.join("."))
}

/// The same in the text of such a value, in which the parts of a key are nested.
fn json_path(key: &str) -> String {
    key.split('.').map(text).collect::<Vec<_>>().join(", ")
}
