import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter


def make_exporter():
    return OTLPSpanExporter(endpoint=f"{os.environ['TRACELINK_DEMO_OTLP_HTTP']}/v1/traces")
