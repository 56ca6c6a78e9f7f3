"""Station carry: the context is in the message, in a form that nobody reads."""

import json

import by_hand
import publishing
import sentry_sdk
import tasks
import tracing
from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration
from sentry_sdk.transport import Transport

from . import breaks


def send_headers(make):
    """The API writes `make(span context)` into the headers, the worker is healthy."""
    tracing.instrument_celery = lambda: None

    def publish(order_id, order):
        headers = make(trace.get_current_span().get_span_context())
        tasks.process_order.apply_async(args=[order_id, order], headers=headers)

    publishing.publish = publish


@breaks("malformed-traceparent", "api")
def upper_case():
    send_headers(lambda span: {"traceparent": f"00-{span.trace_id:032X}-{span.span_id:016X}-01"})


@breaks("malformed-traceparent-decimal", "api")
def decimal():
    send_headers(lambda span: {"traceparent": f"00-{span.trace_id}-{span.span_id}-01"})


@breaks("malformed-traceparent-unpadded", "api")
def no_flags():
    send_headers(lambda span: {"traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}"})


@breaks("malformed-traceparent-zero", "api")
def all_zero():
    nothing = trace.INVALID_SPAN_CONTEXT
    send_headers(lambda _: {"traceparent": f"00-{nothing.trace_id:032x}-{nothing.span_id:016x}-00"})


@breaks("header-name-case", "api")
def capital_name():
    send_headers(lambda span: {"Traceparent": f"00-{span.trace_id:032x}-{span.span_id:016x}-01"})


@breaks("context-in-body", "api")
def in_the_arguments():
    tracing.instrument_celery = lambda: None

    def publish(order_id, order):
        tasks.process_order.apply_async(args=[order_id, {**order, "trace_context": by_hand.current()}])

    publishing.publish = publish


@breaks("context-in-properties", "api")
def in_the_properties():
    tracing.instrument_celery = lambda: None

    def publish(order_id, order):
        # Options that Celery does not know become properties of the message.
        tasks.process_order.apply_async(args=[order_id, order], **by_hand.current())

    publishing.publish = publish


@breaks("carrier-encoding", "api")
def encoded_twice():
    by_hand.api()
    by_hand.write = lambda carrier: {by_hand.KEY: json.dumps(json.dumps(carrier))}


@breaks("carrier-encoding-repr", "api")
def python_text():
    by_hand.api()
    by_hand.write = lambda carrier: {by_hand.KEY: str(carrier)}


@breaks("carrier-encoding-object", "api")
def object_for_text():
    by_hand.api()
    by_hand.write = lambda carrier: {by_hand.KEY: carrier}


@breaks("carrier-encoding", "worker")
@breaks("carrier-encoding-repr", "worker")
@breaks("carrier-encoding-object", "worker")
def read_json():
    by_hand.worker()


class Nowhere(Transport):
    """Drops what Sentry would send: its backend is no part of this."""

    def capture_envelope(self, _envelope):
        pass


@breaks("foreign-context-only", "api")
def sentry_alone():
    """Sentry instruments what is published, OpenTelemetry only what comes in."""
    tracing.instrument_celery = lambda: None
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        transport=Nowhere,
        traces_sample_rate=1.0,
        auto_enabling_integrations=False,
        integrations=[FastApiIntegration(), StarletteIntegration(), CeleryIntegration(propagate_traces=True)],
    )


@breaks("nested-context-only", "api")
def nested_headers():
    """What Celery before 5.3 asked for, sent to a worker that reads flat headers."""
    by_hand.api()
    by_hand.write = lambda carrier: {"headers": carrier}


@breaks("conflicting-contexts", "api")
def two_owners():
    """The instrumentor writes W3C, and a helper the B3 context of something else."""
    tracing.make_propagator = lambda: CompositePropagator(
        [TraceContextTextMapPropagator(), W3CBaggagePropagator()]
    )

    def publish(order_id, order):
        headers = {}
        with trace.get_tracer("shop.audit").start_as_current_span("audit", context=context.Context()):
            B3MultiFormat().inject(headers)
        tasks.process_order.apply_async(args=[order_id, order], headers=headers)

    publishing.publish = publish


@breaks("baggage-at-rest", "api")
def who_ordered():
    """Baggage goes wherever the context goes, in clear text."""
    healthy = publishing.publish

    def publish(order_id, order):
        token = context.attach(baggage.set_baggage("user.email", "ada@example.org"))
        try:
            healthy(order_id, order)
        finally:
            context.detach(token)

    publishing.publish = publish
