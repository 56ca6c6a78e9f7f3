"""Clients of the receiver that are not its own code; each prints JSON.

    otlp_clients.py sdk grpc|http none|gzip PORT     the OpenTelemetry SDK's exporter
    otlp_clients.py signals grpc|http PORT           its exporters of metrics and logs
    otlp_clients.py grpcio PORT                      raw gRPC calls, right and wrong
    otlp_clients.py requests PORT                    raw HTTP requests, right and wrong
"""

import gzip
import json
import logging
import sys

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = "application/x-protobuf"


def sdk(protocol, compression, port):
    """A small tree from the real SDK: what it sent, and what its exporter said of it."""
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
    from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, StatusCode

    complaints = []

    class Listen(logging.Handler):
        def emit(self, record):
            complaints.append(record.getMessage())

    logging.getLogger("opentelemetry").addHandler(Listen(logging.WARNING))

    if protocol == "grpc":
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        how = {"none": Compression.NoCompression, "gzip": Compression.Gzip}[compression]
        exporter = OTLPSpanExporter(
            f"http://127.0.0.1:{port}", insecure=True, compression=how, timeout=10
        )
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        how = Compression(compression)
        exporter = OTLPSpanExporter(
            f"http://127.0.0.1:{port}/v1/traces", compression=how, timeout=10
        )

    results, spans = [], []

    class Watched(SpanExporter):
        def export(self, batch):
            spans.extend(batch)
            result = exporter.export(batch)
            results.append(result.name)
            return result

        def shutdown(self):
            exporter.shutdown()

    resource = Resource({"service.name": "py-client", "service.instance.id": "py-1"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(Watched()))
    tracer = provider.get_tracer("tracelink-test", "1.2.3")
    root = tracer.start_span("POST /orders", kind=SpanKind.SERVER)
    root.set_attributes({"http.status_code": 500, "ratio": 0.5, "yes": True, "list": [1, 2]})
    inside = trace.set_span_in_context(root)
    task = {"messaging.message.id": "task-1", "celery.task_name": "process_order"}
    producer = tracer.start_span("apply_async/process_order", inside, SpanKind.PRODUCER, task)
    producer.end()
    sent = producer.get_span_context()
    # The parent came from elsewhere, over a carrier.
    remote = SpanContext(sent.trace_id, sent.span_id, True, sent.trace_flags)
    consumer = tracer.start_span(
        "run/process_order ✓",
        trace.set_span_in_context(NonRecordingSpan(remote)),
        SpanKind.CONSUMER,
        links=[Link(root.get_span_context())],
    )
    consumer.record_exception(TypeError("it broke"))
    consumer.set_status(StatusCode.ERROR, "it broke")
    consumer.end()
    tracer.start_span("client", inside, SpanKind.CLIENT).end()
    tracer.start_span("internal", inside).end()
    root.end()
    provider.shutdown()
    return {
        "results": results,
        "complaints": complaints,
        "spans": [
            {
                "trace": format(span.context.trace_id, "032x"),
                "span": format(span.context.span_id, "016x"),
                "parent": format(span.parent.span_id, "016x") if span.parent else None,
                "remote": bool(span.parent and span.parent.is_remote),
                "kind": span.kind.name.lower(),
                "name": span.name,
                "start": str(span.start_time),
                "end": str(span.end_time),
                "error": span.status.status_code is StatusCode.ERROR,
            }
            for span in spans
        ],
    }


def signals(protocol, port):
    """Two data points and a log record from the real SDK: what became of them."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    complaints = []

    class Listen(logging.Handler):
        def emit(self, record):
            complaints.append(record.getMessage())

    logging.getLogger("opentelemetry").addHandler(Listen(logging.WARNING))
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

        where = {"endpoint": f"http://127.0.0.1:{port}", "insecure": True, "timeout": 10}
        metrics, logs = OTLPMetricExporter(**where), OTLPLogExporter(**where)
    else:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        base = f"http://127.0.0.1:{port}/v1"
        metrics = OTLPMetricExporter(f"{base}/metrics", timeout=10)
        logs = OTLPLogExporter(endpoint=f"{base}/logs", timeout=10)

    told = {}

    def watch(exporter, signal):
        export = exporter.export

        def watched(*args, **kwargs):
            result = export(*args, **kwargs)
            told[signal] = result.name
            return result

        exporter.export = watched

    watch(metrics, "metrics")
    watch(logs, "logs")
    meters = MeterProvider([PeriodicExportingMetricReader(metrics, export_interval_millis=3_600_000)])
    orders = meters.get_meter("tracelink-test").create_counter("orders")
    orders.add(1, {"kind": "new"})
    orders.add(2, {"kind": "old"})
    meters.shutdown()
    loggers = LoggerProvider()
    loggers.add_log_record_processor(SimpleLogRecordProcessor(logs))
    loggers.get_logger("tracelink-test").emit(body="an order came")
    loggers.shutdown()
    return {**told, "complaints": complaints}


def status(body):
    """google.rpc.Status, read with Google's own classes."""
    from google.protobuf import json_format
    from google.rpc import error_details_pb2, status_pb2  # noqa: F401: registers RetryInfo

    if isinstance(body, bytes):
        message = status_pb2.Status.FromString(body)
    else:
        message = json_format.Parse(body, status_pb2.Status())
    return json_format.MessageToDict(message)


def grpcio(port):
    """What gRPC's own client makes of each answer."""
    import grpc
    from google.rpc.error_details_pb2 import RetryInfo

    channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def call(body, method=TRACES, compression=None, metadata=()):
        raw = channel.unary_unary(method, lambda body: body, lambda body: body)
        try:
            answer = raw(body, timeout=10, compression=compression, metadata=metadata)
            return {"code": "OK", "answer": answer.hex()}
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata())
            told = {"code": error.code().name, "message": error.details()}
            if "grpc-status-details-bin" in trailers:
                told["details"] = status(trailers["grpc-status-details-bin"])
            if "google.rpc.retryinfo-bin" in trailers:
                delay = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay
                told["retry_info"] = delay.ToMilliseconds()
            return told

    return {
        "empty": call(b""),
        "gzip": call(b"a" * 10_000, compression=grpc.Compression.Gzip),
        "deflate": call(b"a" * 10_000, compression=grpc.Compression.Deflate),
        "partly": call(b'{"partly":1}'),
        "malformed": call(b'{"broken"'),
        "busy": call(b'{"busy":1}'),
        "too-large": call(b" " * (2 << 20)),
        "too-large-unpacked": call(b" " * (2 << 20), compression=grpc.Compression.Gzip),
        "unknown-method": call(b"", method="/opentelemetry.proto.Nothing/Export"),
    }


def over_http(port):
    """What `requests` gets for each request, with the body as its content type says."""
    import requests

    def ask(body, path="/v1/traces", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{port}{path}"
        answer = requests.post(url, data=body, headers=headers, timeout=10)
        kind = answer.headers.get("content-type")
        told = {"status": answer.status_code, "type": kind}
        if "retry-after" in answer.headers:
            told["retry-after"] = answer.headers["retry-after"]
        if answer.ok:
            told["body"] = answer.content.hex()
        else:
            told["details"] = status(answer.content if kind == PROTOBUF else answer.text)
        return told

    answers = {}
    for kind in [PROTOBUF, "application/json"]:
        answers[kind] = {
            "empty": ask(b"" if kind == PROTOBUF else b"{}", content_type=kind),
            "gzip": ask(gzip.compress(b" " * 1000), content_type=kind, content_encoding="gzip"),
            "partly": ask(b'{"partly":1}', content_type=kind),
            "malformed": ask(b'{"broken"', content_type=kind),
            "malformed-gzip": ask(b"no gzip", content_type=kind, content_encoding="gzip"),
            "cut-gzip": ask(gzip.compress(b"a" * 99)[:-9], content_type=kind, content_encoding="gzip"),
            "too-large": ask(b" " * (2 << 20), content_type=kind),
            "too-large-unpacked": ask(
                gzip.compress(b" " * (2 << 20)), content_type=kind, content_encoding="gzip"
            ),
            "busy": ask(b'{"busy":1}', content_type=kind),
            "unknown-encoding": ask(b"", content_type=kind, content_encoding="br"),
            "unknown-path": ask(b"", path="/v2/traces", content_type=kind),
        }
    answers["unknown-type"] = ask(b"", content_type="text/csv")
    return answers


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps({"sdk": sdk, "signals": signals, "grpcio": grpcio, "requests": over_http}[what](*rest)))
