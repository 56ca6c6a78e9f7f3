from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


def configure(service_name):
    resource = Resource.create({"service.name": service_name})
    provider = TracerProvider(resource=resource)
    # tracelink: provider
    exporter = OTLPSpanExporter(insecure=True)
    # tracelink: exporter
    processor = BatchSpanProcessor(exporter)
    provider.add_span_processor(processor)
    # tracelink: set-provider
    trace.set_tracer_provider(provider)
    # tracelink: propagators
