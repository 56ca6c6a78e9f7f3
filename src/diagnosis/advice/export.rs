//! How spans leave their process: exporters, their endpoints, and the flush at
//! the end.

/// Mends TL501 where no other run was seen: in the worker.
pub const WORKER_SENDS_NOTHING: [&str; 4] = [
    "worker_process_init.connect(init_tracing, weak=False)   # no SDK: prefork; worker_init under threads or gevent",
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://<collector>:4317   # wrong endpoint or port: 4317 is gRPC, 4318 is HTTP",
    "OTEL_TRACES_SAMPLER=parentbased_always_on   # a sampler of the worker's own",
    "worker_process_shutdown.connect(lambda **kw: provider.shutdown(), weak=False)   # lost at exit",
];

/// Mends TL501 where other runs were seen: in each worker.
pub const EVERY_WORKER_SENDS: [&str; 2] =
    [FLUSH_AT_EXIT[0], "OTEL_EXPORTER_OTLP_ENDPOINT=http://<collector>:4317   # the same for every worker"];

/// Mends TL501, TL503: in the worker's code.
pub const FLUSH_AT_EXIT: [&str; 1] =
    ["worker_process_shutdown.connect(lambda **kw: provider.shutdown(), weak=False)   # flush at exit"];

/// Mends TL502: in the process that publishes, and its environment.
pub const PUBLISHER_SENDS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://<collector>:4317   # in the process that publishes",
    "trace.get_tracer_provider().shutdown()   # where it ends right after it published",
];

/// Mends TL503: where the span is started by hand, and in the worker's code.
pub const SPANS_END: [&str; 2] =
    ["with tracer.start_as_current_span(name):  # ends by itself, whatever happens", FLUSH_AT_EXIT[0]];

/// Mends TL503 where a publish left its span current: around each publish that
/// may fail.
pub const PUBLISH_IN_A_CONTEXT_OF_ITS_OWN: [&str; 3] = [
    "token = context.attach(context.get_current())   # opentelemetry.context, before the publish",
    "try: task.apply_async(args)",
    "finally: context.detach(token)   # with whatever a publish that failed left current",
];

/// Mends TL504: in the program that sends twice.
pub const ONE_EXPORTER: [&str; 2] = [
    "grep -rnE 'add_span_processor|opentelemetry-instrument' .   # one of them, and once",
    "provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))",
];

/// Mends TL505: in the exporter's environment. `grpc` is the endpoint that
/// speaks gRPC.
pub fn grpc_port(grpc: &str) -> [String; 2] {
    [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={grpc}      # gRPC's port"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf      # or stay at this port, with HTTP".to_owned(),
    ]
}

/// Mends TL510: in the exporter's environment. `http` is the endpoint that speaks
/// HTTP.
pub fn http_port(http: &str) -> [String; 2] {
    [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={http}      # HTTP's port"),
        "OTEL_EXPORTER_OTLP_PROTOCOL=grpc      # or stay at this port, with gRPC".to_owned(),
    ]
}

/// Mends TL511: in the exporter's environment, or where it is made. `grpc` is the
/// endpoint that speaks gRPC, `http` the one that speaks HTTP.
pub fn without_tls(grpc: &str, http: &str) -> [String; 3] {
    [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={grpc}      # http://, not https://; gRPC takes an endpoint without a scheme for TLS"),
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={http}      # the same over HTTP"),
        "OTLPSpanExporter(endpoint=\"<host>:4317\", insecure=True)   # or where the exporter is made, over gRPC".to_owned(),
    ]
}

/// Mends TL506: where the exporter is made, or in its environment. `http` is the
/// endpoint that speaks HTTP.
pub fn traces_path(http: &str) -> [String; 2] {
    [
        format!("OTLPSpanExporter(endpoint=\"{http}/v1/traces\")"),
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={http}      # or this, and no argument"),
    ]
}

/// Mends TL507 under `tracelink listen -- COMMAND`, which sets the environment:
/// in the command's code, and in what stands between.
pub const PASS_THE_ENVIRONMENT_ON: [&str; 4] = [
    "OTLPSpanExporter()      # no endpoint in code: the environment has it",
    "passenv = OTEL_*        # tox; or docker -e, sudo -E",
    "OTEL_SDK_DISABLED=false",
    "trace.get_tracer_provider().shutdown()   # at the end",
];

/// Mends TL507: in the environment of every program. `grpc` is the endpoint that
/// speaks gRPC.
pub fn export_here(grpc: &str) -> [String; 4] {
    [
        format!("OTEL_EXPORTER_OTLP_ENDPOINT={grpc}"),
        "OTEL_TRACES_EXPORTER=otlp".to_owned(),
        "OTEL_SDK_DISABLED=false".to_owned(),
        "OTEL_TRACES_SAMPLER=parentbased_always_on   # one that keeps nothing looks the same".to_owned(),
    ]
}

/// Mends TL508: in the environment of the program that sends such spans.
pub const UPDATE_THE_SDK: [&str; 1] = [
    "pip install -U opentelemetry-sdk opentelemetry-exporter-otlp   # or mend what sets ids or times by hand",
];

/// Mends TL509: in the environment of the program that lost spans.
pub const LARGER_QUEUE: [&str; 2] = [
    "OTEL_BSP_MAX_QUEUE_SIZE=16384             # the default is 2048",
    "OTEL_BSP_SCHEDULE_DELAY=1000              # milliseconds; the default is 5000",
];
