"""OpenTelemetry, set up once in each program.

`start` is called once by each process, after it was forked; everything that it
is made of is a small function of its own below. What is not here: spans. They
are made where the work is.
"""

import os

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
    """Sets the provider and the propagators, and instruments Celery.

    The order matters: the provider first, so that no span is made without it.
    """
    provider = make_provider(service_name)
    for exporter in make_exporters():
        provider.add_span_processor(make_processor(exporter))
    trace.set_tracer_provider(provider)
    propagate.set_global_textmap(make_propagator())
    instrument_celery()


def stop():
    """Sends what is still held. A process that ends without it loses its last spans."""
    trace.get_tracer_provider().shutdown()


def make_provider(service_name):
    return TracerProvider(resource=make_resource(service_name), sampler=make_sampler())


def make_resource(service_name):
    return Resource.create({SERVICE_NAME: service_name})


def make_sampler():
    """Every order is worth a trace, unless its caller decided otherwise."""
    return ParentBased(root=ALWAYS_ON)


def make_exporters():
    """OTLP over gRPC; the endpoint comes from OTEL_EXPORTER_OTLP_ENDPOINT."""
    return [OTLPSpanExporter(insecure=True)]


def make_processor(exporter):
    """Holds spans for OTEL_BSP_SCHEDULE_DELAY milliseconds (5,000 by default)."""
    return BatchSpanProcessor(exporter)


def make_propagator():
    """W3C and its baggage, and B3 for whom it may concern: the same on both sides."""
    return CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator(), B3MultiFormat()])


def instrument_celery():
    """Needed by who publishes and by who consumes."""
    CeleryInstrumentor().instrument()


def http_endpoint():
    """Where OTLP over HTTP is taken, without a path."""
    return os.environ.get("TRACELINK_DEMO_OTLP_HTTP", "http://127.0.0.1:4318")
