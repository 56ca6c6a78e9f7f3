from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def setup(service):
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    # tracelink: provider
    exporter = OTLPSpanExporter()
    # tracelink: exporter
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # tracelink: set-provider
    trace.set_tracer_provider(provider)
    # tracelink: propagators
