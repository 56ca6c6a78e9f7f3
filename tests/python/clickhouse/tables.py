"""The tables that exporters make in ClickHouse, each layout a list of statements.

The columns, their types and the keys are those of the Collector's `clickhouseexporter`
(`internal/sqltemplates` of 2026; `map-before` is what it made in 2024) and of
SigNoz's schema migrator (`signozschemamigrator`, traces 1000 to 1014). Compression codecs and
most skipping indices are left out: they change no answer.
"""

MAP = "Map(LowCardinality(String), String)"

# What both variants of the Collector's table begin with.
COLLECTOR = """
    Timestamp DateTime64(9), TraceId String, SpanId String, ParentSpanId String, TraceState String,
    SpanName LowCardinality(String), SpanKind LowCardinality(String), ServiceName LowCardinality(String),
    ScopeName String, ScopeVersion String, Duration UInt64, StatusCode LowCardinality(String),
    StatusMessage String"""


def nested(attributes):
    return f"""
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes {attributes}),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes {attributes})"""


def times_of_traces(columns, order):
    return [
        f"CREATE TABLE otel_traces_trace_id_ts (TraceId String, {columns}) {order}",
        """CREATE MATERIALIZED VIEW otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
        SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM otel_traces
        WHERE TraceId != '' GROUP BY TraceId""",
    ]


TIMES = times_of_traces(
    "Start SimpleAggregateFunction(min, DateTime), End SimpleAggregateFunction(max, DateTime)",
    "ENGINE = AggregatingMergeTree PARTITION BY toStartOfWeek(Start) ORDER BY TraceId",
)
TIMES_BEFORE = times_of_traces(
    "Start DateTime, End DateTime, INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1",
    "ENGINE = MergeTree PARTITION BY toDate(Start) ORDER BY (TraceId, Start)",
)
TRACE_ID = "INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1"


def collector_map(order):
    return f"""CREATE TABLE otel_traces ({COLLECTOR},
    ResourceAttributes {MAP}, SpanAttributes {MAP},{nested(MAP)}, {TRACE_ID}
    ) ENGINE = MergeTree PARTITION BY toDate(Timestamp) {order}"""


MAP_LAYOUT = [
    collector_map(
        "PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp)) "
        "ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)"
    ),
    *TIMES,
]
MAP_BEFORE = [collector_map("ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))"), *TIMES_BEFORE]
JSON_LAYOUT = [
    f"""CREATE TABLE otel_traces ({COLLECTOR},
    ResourceAttributes JSON, ResourceAttributesKeys Array(LowCardinality(String)),
    SpanAttributes JSON, SpanAttributesKeys Array(LowCardinality(String)),{nested("JSON")},
    INDEX idx_span_attr_keys SpanAttributesKeys TYPE bloom_filter(0.01) GRANULARITY 1
    ) ENGINE = MergeTree PARTITION BY toDate(Timestamp)
    ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)""",
    *TIMES,
]

# SigNoz keeps an attribute that it searches often in a column of its own.
OWN_COLUMNS = [
    "http.route", "messaging.system", "messaging.operation", "db.system",
    "rpc.system", "rpc.service", "rpc.method", "peer.service",
]  # fmt: skip
SIGNOZ = f"""CREATE TABLE signoz_index_v3 (
    ts_bucket_start UInt64, resource_fingerprint String, timestamp DateTime64(9), trace_id FixedString(32),
    span_id String, trace_state String, parent_span_id String, flags UInt32, name LowCardinality(String),
    kind Int8, kind_string String, duration_nano UInt64, status_code Int16, status_message String,
    status_code_string String, attributes_string {MAP},
    attributes_number Map(LowCardinality(String), Float64), attributes_bool Map(LowCardinality(String), Bool),
    attributes JSON(max_dynamic_paths=0), resources_string {MAP}, events Array(String), links String,
    response_status_code LowCardinality(String), external_http_url LowCardinality(String),
    http_url LowCardinality(String), external_http_method LowCardinality(String),
    http_method LowCardinality(String), http_host LowCardinality(String), db_name LowCardinality(String),
    db_operation LowCardinality(String), has_error Bool, is_remote LowCardinality(String),
    `resource_string_service$$name` LowCardinality(String) DEFAULT resources_string['service.name'],
    {"".join(
        f"`attribute_string_{name.replace('.', '$$')}` LowCardinality(String) "
        f"DEFAULT attributes_string['{name}'],"
        for name in OWN_COLUMNS
    )}
    traceID FixedString(32) ALIAS trace_id, spanID String ALIAS span_id,
    parentSpanID String ALIAS parent_span_id, spanKind String ALIAS kind_string,
    durationNano UInt64 ALIAS duration_nano, statusCode Int16 ALIAS status_code, references String ALIAS links,
    serviceName LowCardinality(String) ALIAS `resource_string_service$$name`,
    resource JSON(max_dynamic_paths=100),
    scope JSON(name String, version String, max_dynamic_paths=0),
    inserted_at DateTime64(3), created_at DateTime64(3) DEFAULT now64(3),
    INDEX idx_trace_id trace_id TYPE tokenbf_v1(10000, 5, 0) GRANULARITY 1,
    INDEX idx_timestamp timestamp TYPE minmax GRANULARITY 1
    ) ENGINE = MergeTree PARTITION BY toDate(timestamp)
    ORDER BY (ts_bucket_start, resource_fingerprint, has_error, name, timestamp)"""


SIGNOZ_TIMES = [
    """CREATE TABLE trace_summary (trace_id String, start SimpleAggregateFunction(min, DateTime64(9)),
    end SimpleAggregateFunction(max, DateTime64(9)), num_spans SimpleAggregateFunction(sum, UInt64)
    ) ENGINE = AggregatingMergeTree PARTITION BY toDate(end) ORDER BY (trace_id)""",
    """CREATE MATERIALIZED VIEW trace_summary_mv TO trace_summary AS
    SELECT trace_id, min(timestamp) AS start, max(timestamp) AS end, toUInt64(count()) AS num_spans
    FROM signoz_index_v3 GROUP BY trace_id""",
]


def statements(layout, database):
    """What makes `layout` in `database`, which is there and is the current one."""
    if layout == "signoz":
        # The engine has no clusters in a process. A table of the function `remote` is read as a
        # `Distributed` one is, but `system.tables` calls its engine `Proxy`.
        distributed = "CREATE TABLE distributed_signoz_index_v3 AS remote('127.0.0.1', '{}', 'signoz_index_v3')"
        return [SIGNOZ, *SIGNOZ_TIMES, distributed.format(database)]
    return {"map": MAP_LAYOUT, "map-before": MAP_BEFORE, "json": JSON_LAYOUT}[layout]


LAYOUTS = ("map", "map-before", "json", "signoz")
