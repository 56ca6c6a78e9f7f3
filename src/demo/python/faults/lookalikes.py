"""What looks broken and is not: tracelink must stay silent."""

import asyncio

import by_hand
import publishing
import shop
import tasks
import tracing
from celery import chain, chord, group
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.propagators.b3 import B3MultiFormat

from . import breaks, from_outside

# By the manifest alone: settings, scripts, orders that are refused.
from_outside("healthy", "healthy-script", "healthy-storefront", "healthy-bad-quantity", "healthy-retries")
from_outside("failing-task", "healthy-solo", "healthy-child-ends")


@breaks("healthy-links", "worker")
def links_for_parents():
    tracing.instrument_celery = lambda: CeleryInstrumentor().instrument(use_span_links=True)


@breaks("healthy-beat", "worker")
def every_second():
    shop.celery.conf.beat_schedule = {"report": {"task": "report_day", "schedule": 1.0}}


@breaks("healthy-eta", "api")
def later():
    publishing.publish = lambda order_id, order: tasks.process_order.apply_async(
        args=[order_id, order], countdown=2
    )


@breaks("healthy-send-task", "api")
def by_name():
    """The API does not know the task, only its name: the producer span is very short."""
    publishing.publish = lambda order_id, order: shop.celery.send_task(
        "process_order", args=[order_id, order]
    )


def process(order_id, order):
    return tasks.process_order.si(order_id, order)


@breaks("healthy-chain", "api")
def one_after_the_other():
    publishing.publish = lambda order_id, order: chain(
        process(order_id, order), tasks.pack_parcel.s(order_id=order_id)
    ).apply_async()


@breaks("healthy-group", "api")
def side_by_side():
    publishing.publish = lambda order_id, order: group(
        process(order_id, order), tasks.pack_parcel.si(order_id=order_id)
    ).apply_async()


@breaks("healthy-chord", "api")
def side_by_side_and_then():
    publishing.publish = lambda order_id, order: chord(
        [process(order_id, order), tasks.pack_parcel.si(order_id=order_id)], tasks.report_day.s()
    ).apply_async()


@breaks("healthy-nested", "worker")
def a_task_that_publishes():
    fulfil = tasks.fulfil

    def and_pack(task, order_id, order):
        done = fulfil(task, order_id, order)
        tasks.pack_parcel.apply_async(kwargs={"order_id": order_id})
        return done

    tasks.fulfil = and_pack


@breaks("healthy-by-hand", "api")
@breaks("healthy-by-hand-retries", "api")
def api_by_hand():
    by_hand.api()


@breaks("healthy-by-hand", "worker")
@breaks("healthy-by-hand-retries", "worker")
def worker_by_hand():
    by_hand.worker()


@breaks("healthy-by-hand-flat", "api")
def api_by_hand_flat():
    by_hand.write = by_hand.write_flat
    by_hand.api()


@breaks("healthy-by-hand-flat", "worker")
def worker_by_hand_flat():
    by_hand.read = by_hand.read_flat
    by_hand.worker()


@breaks("healthy-b3", "api", "worker")
def b3_on_both_sides():
    tracing.make_propagator = B3MultiFormat


@breaks("healthy-http", "worker")
def over_http():
    tracing.make_exporters = lambda: [HttpSpanExporter(endpoint=f"{tracing.http_endpoint()}/v1/traces")]


@breaks("healthy-to-thread", "api")
def in_a_thread_with_its_context():
    healthy = publishing.publish
    publishing.publish = lambda *order: asyncio.run(asyncio.to_thread(healthy, *order))


@breaks("healthy-called-directly", "api")
def no_queue_at_all():
    publishing.publish = lambda order_id, order: tasks.process_order(order_id, order)
