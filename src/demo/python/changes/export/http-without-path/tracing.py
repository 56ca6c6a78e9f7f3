import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter


def make_exporter():
    """`endpoint=` is taken as it is."""
    return OTLPSpanExporter(endpoint=os.environ["TRACELINK_DEMO_OTLP_HTTP"], timeout=1)
