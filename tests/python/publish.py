"""Publishes with the real Celery to the Redis of a URL, and prints what it published.

Usage: publish.py URL. One JSON object a line: the truth that a reader of the
queue is compared with. Where OpenTelemetry is installed, its instrumentor
injects, and the truth is taken from the spans that it ended.
"""

import json
import sys

import celery
from celery import Celery, chain, chord, group

URL = sys.argv[1]
FIXED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

spans = None
try:
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
except ImportError:
    pass


def make_app(**conf):
    app = Celery("shop", broker=URL, backend=URL, set_as_current=False)
    app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, **conf)

    @app.task(name="shop.process_order")
    def process_order(*args, **kwargs):
        pass

    @app.task(name="shop.sum")
    def total(*args, **kwargs):
        pass

    return app, process_order, total


def say(result_id, task, queue="celery", **facts):
    """Notes one message. Facts: attempt, place, eta, protocol."""
    manifest.append({"id": result_id, "task": task, "queue": queue, **facts})


manifest = []
app, process_order, total = make_app()
headers = {} if spans else {"traceparent": FIXED}
auto = "headers.traceparent"

for serializer in ["json", "yaml", "msgpack", "pickle"]:
    for compression in [None, "gzip", "bzip2", "lzma", "zstd", "brotli"]:
        try:
            sent = process_order.apply_async(
                (["order_1"],), {"quantity": 2}, serializer=serializer, compression=compression, headers=dict(headers)
            )
        except KeyError:
            continue  # this version of kombu does not know the compression
        say(sent.id, "shop.process_order", place=auto, body=f"{serializer}/{compression}")

for priority in [0, 3, 6, 9]:
    sent = process_order.apply_async(("p",), priority=priority, headers=dict(headers))
    say(sent.id, "shop.process_order", place=auto, priority=priority)

sent = process_order.apply_async(("later",), countdown=3600, headers=dict(headers))
say(sent.id, "shop.process_order", place=auto, eta=True)
sent = process_order.apply_async(("soon",), expires=3600, headers=dict(headers))
say(sent.id, "shop.process_order", place=auto)
sent = process_order.apply_async(("again",), retries=2, headers=dict(headers))
say(sent.id, "shop.process_order", place=auto, attempt=2)
sent = app.send_task("elsewhere.charge", ("by name",), headers=dict(headers))
say(sent.id, "elsewhere.charge", place=auto)
sent = process_order.apply_async(("q",), queue="orders", headers=dict(headers))
say(sent.id, "shop.process_order", queue="orders", place=auto)

plain = None if spans else "none"
sent = chain(process_order.si(1), process_order.si(2)).apply_async()
say(sent.parent.id, "shop.process_order", place=plain or auto)
for sent in group(process_order.si(n) for n in range(3)).apply_async().results:
    say(sent.id, "shop.process_order", place=plain or auto)
body = chord([process_order.si(n) for n in range(2)])(total.s())
for sent in body.parent.results:
    say(sent.id, "shop.process_order", place=plain or auto)

if not spans:
    # Without an instrumentor what is written by hand is all there is.
    carrier = {"traceparent": FIXED}
    sent = process_order.apply_async(("json",), headers={"trace_context": json.dumps(carrier)})
    say(sent.id, "shop.process_order", place="headers.trace_context.traceparent")
    sent = process_order.apply_async(("kwargs",), {"ctx": carrier}, serializer="pickle", compression="bzip2")
    say(sent.id, "shop.process_order", place="body.kwargs.ctx.traceparent")
    sent = process_order.apply_async(("properties",), traceparent=FIXED)
    say(sent.id, "shop.process_order", place="properties.traceparent")
    sent = process_order.apply_async(("nothing",))
    say(sent.id, "shop.process_order", place="none")

old_app, old_order, _ = make_app(task_protocol=1)
for serializer in ["json", "yaml", "msgpack", "pickle"]:
    sent = old_order.apply_async(("one",), serializer=serializer)
    say(sent.id, "shop.process_order", place="none", protocol=1)

made = {}
if spans:
    for span in spans.get_finished_spans():
        context = span.get_span_context()
        made[span.attributes["messaging.message.id"]] = (f"{context.trace_id:032x}", f"{context.span_id:016x}")
for message in manifest:
    if message["place"] == "none":
        message["trace_id"] = message["span_id"] = None
    elif spans:
        message["trace_id"], message["span_id"] = made[message["id"]]
    else:
        _, message["trace_id"], message["span_id"], _ = FIXED.split("-")
    print(json.dumps(message))
print(f"celery {celery.__version__}: {len(manifest)} messages", file=sys.stderr)
