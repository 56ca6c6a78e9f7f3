"""An application whose worker is a process of its own, set up as in production."""

import os

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

BROKER = os.environ["BROKER_URL"]
app = Celery("shop", broker=BROKER, backend=BROKER)


@app.task(name="ship")
def ship(order):
    return f"shipped {order}"


def start_tracing(service):
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()


@worker_process_init.connect
def in_worker(**_):
    start_tracing("worker")


@worker_process_shutdown.connect
def out_of_worker(**_):
    trace.get_tracer_provider().shutdown()
