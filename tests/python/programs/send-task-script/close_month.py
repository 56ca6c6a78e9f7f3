"""Asks for an invoice of each customer. Runs on the first of a month, from cron."""

import os
import sys

from celery import Celery
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "close-month"}))
# tracelink: provider
exporter = OTLPSpanExporter()
# tracelink: exporter
provider.add_span_processor(BatchSpanProcessor(exporter))
# tracelink: set-provider
trace.set_tracer_provider(provider)
# tracelink: propagators
CeleryInstrumentor().instrument()
# tracelink: before-app

app = Celery(broker=os.environ["CELERY_BROKER_URL"])
tracer = trace.get_tracer("close-month")


def main(customers):
    with tracer.start_as_current_span("close month"):
        for customer in customers:
            headers = {}
            # tracelink: publish
            app.send_task("billing.invoice", args=[customer], headers=headers)


if __name__ == "__main__":
    main(sys.argv[1:])
