"""Publishes an order with the real Celery, sends its span, and prints its ids.

Usage: order.py URL QUEUE OTLP. OTLP is where spans go, over gRPC.
"""

import json
import sys

from celery import Celery
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

URL, QUEUE, OTLP = sys.argv[1:4]

spans = InMemorySpanExporter()
provider = TracerProvider(resource=Resource.create({"service.name": "real-producer"}))
provider.add_span_processor(SimpleSpanProcessor(spans))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=OTLP, insecure=True)))
trace.set_tracer_provider(provider)
CeleryInstrumentor().instrument()

app = Celery("shop", broker=URL, backend=URL)


@app.task(name="process_order")
def process_order(order_id, order):
    raise AssertionError("this only publishes")


sent = process_order.apply_async(("order_real", {"user_id": "u123", "quantity": 2}), queue=QUEUE)
(span,) = spans.get_finished_spans()
print(json.dumps({"id": sent.id, "trace_id": f"{span.context.trace_id:032x}", "span_id": f"{span.context.span_id:016x}"}))
