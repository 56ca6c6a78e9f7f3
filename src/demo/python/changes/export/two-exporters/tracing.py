import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter


def set_provider(service_name):
    """Spans go to two places, over gRPC and over HTTP."""
    provider = TracerProvider(resource=make_resource(service_name), sampler=make_sampler())
    # tracelink: provider
    exporter = make_exporter()
    # tracelink: exporter
    provider.add_span_processor(BatchSpanProcessor(exporter))
    over_http = HttpSpanExporter(endpoint=f"{os.environ['TRACELINK_DEMO_OTLP_HTTP']}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(over_http))
    # tracelink: set-provider
    trace.set_tracer_provider(provider)
