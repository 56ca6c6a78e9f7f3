"""celery -A parcels worker"""

import os
import time

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

app = Celery("parcels", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
# tracelink: celery-settings


@worker_process_init.connect(weak=False)
def init_tracing(**_):
    provider = TracerProvider(resource=Resource.create({"service.name": "parcels"}))
    # tracelink: provider
    exporter = OTLPSpanExporter()
    # tracelink: exporter
    provider.add_span_processor(BatchSpanProcessor(exporter))
    # tracelink: set-provider
    trace.set_tracer_provider(provider)
    # tracelink: propagators
    CeleryInstrumentor().instrument()


@worker_process_shutdown.connect(weak=False)
def flush(**_):
    trace.get_tracer_provider().shutdown()


@app.task(name="ship_parcel")
def ship_parcel(parcel):
    # tracelink: task
    time.sleep(0.05)


# tracelink: worker-module
