import os


def make_exporter():
    return OTLPSpanExporter(endpoint=os.environ["TRACELINK_DEMO_OTLP_HTTP"], insecure=True, timeout=1)
