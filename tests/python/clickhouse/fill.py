"""Synthetic spans of FastAPI and Celery, made in the engine: five million take seconds.

`statements(layout, spans, hours)` fills the table of a layout with whole traces, spread evenly
over the last `hours`. A trace is what one request makes: the spans and attributes are those of
`healthy_auto` among the captures (a server span with its two ASGI spans, two of the program, the
producer; the run with three of its own), ten in all. There are ten tasks, the last of them for half
of the hand-offs.
Of the hand-offs, by what the hash of the trace's number is modulo 1000:

    0 to 19    the run is the root of a trace of its own
    20 to 29   the worker's four spans did not arrive
    30 to 34   the run's parent is a span that is nowhere
    35 to 44   the run failed, with an exception
"""

TASKS = [
    "process_order", "send_confirmation", "update_inventory", "charge_card", "render_invoice",
    "sync_customer", "resize_image", "reindex", "notify_partner", "nightly_report",
]  # fmt: skip

# name, kind, service, parent (an index, or -1), begins after (ms), lasts (ms), scope
API, WORKER = "order-api", "order-worker"
SHAPE = [
    ("POST /orders", "Server", API, -1, 0, 132, "opentelemetry.instrumentation.fastapi"),
    ("validate_order", "Internal", API, 0, 1, 8, "order-api"),
    ("save_order", "Internal", API, 0, 10, 35, "order-api"),
    ("apply_async/{task}", "Producer", API, 0, 118, 9, "opentelemetry.instrumentation.celery"),
    ("POST /orders http send", "Internal", API, 0, 130, 1, "opentelemetry.instrumentation.fastapi"),
    ("POST /orders http send", "Internal", API, 0, 131, 1, "opentelemetry.instrumentation.fastapi"),
    ("run/{task}", "Consumer", WORKER, 3, 140, 112, "opentelemetry.instrumentation.celery"),
    ("send_confirmation_email", "Internal", WORKER, 6, 141, 80, "order-worker"),
    ("update_inventory", "Internal", WORKER, 6, 222, 30, "order-worker"),
    ("SELECT orders", "Client", WORKER, 8, 223, 3, "opentelemetry.instrumentation.psycopg"),
]
ATTRIBUTES = {
    0: {"http.method": "POST", "http.target": "/orders", "http.status_code": "200", "http.route": "/orders"},
    3: {"celery.action": "apply_async", "messaging.destination_kind": "queue", "messaging.destination": "celery"},
    4: {"asgi.event.type": "http.response.start"},
    5: {"asgi.event.type": "http.response.body"},
    6: {"celery.action": "run", "celery.state": "SUCCESS", "messaging.destination": "celery"},
    9: {"db.system": "postgresql", "db.statement": "SELECT 1"},
}
ROWS = len(SHAPE)


def choice(values):
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def per_span(position):
    return choice(str(row[position]) for row in SHAPE)


def maps():
    """For each place in the shape, its constant attributes."""
    written = []
    for place in range(ROWS):
        pairs = ", ".join(f"'{key}', '{value}'" for key, value in ATTRIBUTES.get(place, {}).items())
        written.append(f"map({pairs})" if pairs else "CAST(map(), 'Map(String, String)')")
    return "[" + ", ".join(written) + "]"


def spans_of(spans, hours):
    """A row a span, by names that both layouts read."""
    traces = spans // ROWS
    step = int(hours * 3600 * 10**9) // max(traces, 1)
    return f"""
    WITH intDiv(number, {ROWS}) AS trace, number % {ROWS} + 1 AS place, sipHash64(trace) AS fate,
        fate % 1000 AS lot, hex(sipHash128('trace', trace)) AS here,
        if(place > 6 AND lot < 20, hex(sipHash128('own', trace)), here) AS trace_hex,
        {choice(TASKS)}[1 + least(intDiv(fate, 1000) % 20, 9)] AS task,
        {per_span(3)}[place]::Int8 AS parent,
        UUIDNumToString(sipHash128('task', trace)::FixedString(16)) AS task_id
    SELECT lower(trace_hex) AS trace_id, lower(hex(sipHash64(trace, place))) AS span_id, place, trace, task, lot,
        multiIf(parent < 0 OR (place = 7 AND lot < 20), '',
            place = 7 AND lot BETWEEN 30 AND 34, lower(hex(sipHash64('nowhere', trace))),
            lower(hex(sipHash64(trace, parent + 1)))) AS parent_id,
        replaceOne({per_span(0)}[place], '{{task}}', task) AS name,
        {per_span(1)}[place] AS kind, {per_span(2)}[place] AS service, {per_span(6)}[place] AS scope,
        (toUnixTimestamp64Nano(now64(9)) - {int(hours * 3600 * 10**9)} + trace * {step}
            + ({per_span(4)}[place]::UInt64 + if(place > 6, intDiv(fate, 20000) % 400, 0)) * 1000000)::Int64 AS start,
        {per_span(5)}[place]::UInt64 * 1000000 AS duration,
        mapUpdate({maps()}[place], multiIf(
            place = 4, map('messaging.message.id', task_id, 'celery.task_name', task),
            place = 7, map('messaging.message.id', task_id, 'celery.task_name', task,
                'celery.hostname', 'gen' || toString(trace % 8) || '@worker',
                'celery.state', if(lot BETWEEN 35 AND 44, 'FAILURE', 'SUCCESS')),
            CAST(map(), 'Map(String, String)'))) AS attributes,
        map('service.name', service, 'telemetry.sdk.language', 'python', 'telemetry.sdk.name', 'opentelemetry',
            'telemetry.sdk.version', '1.45.2', 'service.instance.id', service || '-' || toString(trace % 8)) AS resource,
        if(place = 7 AND lot BETWEEN 35 AND 44, 2, 0) AS status,
        if(status = 2, ['exception'], []) AS events,
        map('exception.type', 'ValueError', 'exception.message', 'no such order',
            'exception.stacktrace', 'ValueError: no such order') AS exception
    FROM numbers({traces * ROWS})
    WHERE NOT (place > 6 AND lot BETWEEN 20 AND 29)"""


def statements(layout, spans, hours):
    made = spans_of(spans, hours)
    if layout == "signoz":
        kinds = "indexOf(['Internal', 'Server', 'Client', 'Producer', 'Consumer'], kind)"
        yield f"""INSERT INTO signoz_index_v3 (ts_bucket_start, resource_fingerprint, timestamp, trace_id, span_id,
            parent_span_id, flags, name, kind, kind_string, duration_nano, status_code, status_code_string,
            attributes_string, resources_string, resource, scope, events, links, has_error, is_remote)
        SELECT intDiv(intDiv(start, 1000000000), 1800) * 1800, 'service.name=' || service || ';',
            fromUnixTimestamp64Nano(start), trace_id, span_id, parent_id,
            if(place = 7 AND parent_id != '', 768, 256), name, {kinds}, kind, duration, status,
            if(status = 2, 'Error', 'Unset'), attributes, resource, resource::JSON,
            map('name', scope, 'version', '0.66b2')::JSON,
            arrayMap(event -> concat('{{"name":"', event, '","timeUnixNano":', toString(start + 1000000),
                ',"attributeMap":', toJSONString(exception), ',"isError":true}}'), events),
            '[' || toJSONString(map('traceId', trace_id, 'spanId', parent_id, 'refType', 'CHILD_OF')) || ']',
            status = 2, if(place = 7 AND parent_id != '', 'yes', 'no')
        FROM ({made})"""
        return
    keys = json_too = ""
    if layout == "json":
        keys, json_too = ", ResourceAttributesKeys, SpanAttributesKeys", ", mapKeys(resource), mapKeys(attributes)"
    as_is = "::JSON" if layout == "json" else ""
    kind, status = "kind", "if(status = 2, 'Error', 'Unset')"
    if layout == "map-before":
        kind, status = "'SPAN_KIND_' || upper(kind)", "if(status = 2, 'STATUS_CODE_ERROR', 'STATUS_CODE_UNSET')"
    yield f"""INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName,
        ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode,
        Events.Timestamp, Events.Name, Events.Attributes{keys})
    SELECT fromUnixTimestamp64Nano(start), trace_id, span_id, parent_id, name, {kind}, service,
        resource{as_is}, scope, '0.66b2', attributes{as_is}, duration, {status},
        arrayMap(event -> fromUnixTimestamp64Nano(start + 1000000), events), events,
        arrayMap(event -> exception{as_is}, events){json_too}
    FROM ({made})"""
