"""Runs one task with the real Celery worker, sends its spans, and prints what it saw.

Usage: worker.py URL QUEUE OTLP. The worker takes one task of the queue, answers
as the demo's does, and ends. OTLP is where spans go, over gRPC.
"""

import json
import os
import sys
import threading

from celery import Celery, signals
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

URL, QUEUE, OTLP = sys.argv[1:4]

spans = InMemorySpanExporter()
provider = TracerProvider(resource=Resource.create({"service.name": "real-worker"}))
provider.add_span_processor(SimpleSpanProcessor(spans))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=OTLP, insecure=True)))
trace.set_tracer_provider(provider)
CeleryInstrumentor().instrument()

app = Celery("shop", broker=URL, backend=URL)
app.conf.update(
    task_default_queue=QUEUE, worker_hijack_root_logger=False, worker_redirect_stdouts=False, broker_connection_retry_on_startup=True, accept_content=["json"]
)
seen = {}


@app.task(name="process_order", bind=True)
def process_order(self, order_id, order):
    seen.update(
        id=self.request.id,
        args=[order_id, order],
        root_id=self.request.root_id,
        origin=self.request.origin,
        headers=self.request.headers,
    )
    return {"order_id": order_id}


worker = app.Worker(pool="solo", concurrency=1, loglevel="ERROR", without_gossip=True, without_mingle=True)


@signals.task_postrun.connect(weak=False)
def stop(**_):
    # After the instrumentor has ended its span, and the result is stored.
    threading.Timer(0.5, tell).start()


def tell():
    for span in spans.get_finished_spans():
        if span.name == "run/process_order":
            seen.update(
                trace_id=f"{span.context.trace_id:032x}",
                parent_id=span.parent and f"{span.parent.span_id:016x}",
                state=span.attributes["celery.state"],
            )
    print(json.dumps(seen), flush=True)
    os._exit(0)


worker.start()
