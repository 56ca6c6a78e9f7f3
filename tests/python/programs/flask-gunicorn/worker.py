from celery.signals import worker_process_init, worker_process_shutdown
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor

from tasks import app
from telemetry import setup


@worker_process_init.connect(weak=False)
def start(**_):
    setup("thumbnails-worker")
    CeleryInstrumentor().instrument()


@worker_process_shutdown.connect(weak=False)
def stop(**_):
    trace.get_tracer_provider().shutdown()


# tracelink: worker-module
