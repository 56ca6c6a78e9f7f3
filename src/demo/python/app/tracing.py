"""OpenTelemetry, set up once in each program.

`start` is called once by each process, after it was forked; everything that it
is made of is a small function of its own below. What is not here: spans. They
are made where the work is.
"""

from opentelemetry import propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def start(service_name):
    """The order matters: the provider first, so that no span is made without it."""
    set_provider(service_name)
    set_propagators()
    # Needed by who publishes and by who consumes.
    CeleryInstrumentor().instrument()


def stop():
    """Sends what is still held. A process that ends without it loses its last spans."""
    trace.get_tracer_provider().shutdown()


def set_provider(service_name):
    """Spans are held for OTEL_BSP_SCHEDULE_DELAY milliseconds (5,000 by default)."""
    provider = TracerProvider(resource=make_resource(service_name), sampler=make_sampler())
    # tracelink: provider
    exporter = make_exporter()
    # tracelink: exporter
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # tracelink: set-provider
    trace.set_tracer_provider(provider)


def set_propagators():
    """W3C and its baggage, and B3 for whom it may concern: the same on both sides."""
    formats = [TraceContextTextMapPropagator(), W3CBaggagePropagator(), B3MultiFormat()]
    propagate.set_global_textmap(CompositePropagator(formats))
    # tracelink: propagators


def make_resource(service_name):
    return Resource.create({SERVICE_NAME: service_name})


def make_sampler():
    """Every order is worth a trace, unless its caller decided otherwise."""
    return ParentBased(root=ALWAYS_ON)


def make_exporter():
    """OTLP over gRPC; the endpoint comes from OTEL_EXPORTER_OTLP_ENDPOINT."""
    return OTLPSpanExporter(insecure=True)
