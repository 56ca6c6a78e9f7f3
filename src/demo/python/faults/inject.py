"""Station inject: the producer does not hand the context over."""

import functools
import threading
from contextvars import ContextVar

import by_hand
import fastapi
import publishing
import shop
import tasks
import tracing
from celery.exceptions import Ignore
from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from starlette.middleware import Middleware

from . import breaks, from_outside

# By the environment of the API alone: OTEL_SDK_DISABLED.
from_outside("producer-sdk-disabled")


@breaks("producer-not-instrumented", "api")
@breaks("some-producers-not-instrumented", "api")
def no_instrumentor():
    tracing.instrument_celery = lambda: None


@breaks("empty-carrier", "api")
def inject_where_no_span_is_current():
    by_hand.api()

    def publish(order_id, order):
        # A new thread starts with an empty context.
        thread = threading.Thread(target=by_hand.publish, args=(order_id, order))
        thread.start()
        thread.join()

    publishing.publish = publish


@breaks("empty-carrier", "worker")
@breaks("stale-carrier", "worker")
def by_hand_too():
    by_hand.worker()


@breaks("context-lost-before-publish", "api")
def publish_in_a_thread():
    healthy = publishing.publish

    def publish(*order):
        thread = threading.Thread(target=healthy, args=order)
        thread.start()
        thread.join()

    publishing.publish = publish


@breaks("protocol-1", "api")
def old_protocol():
    shop.celery.conf.task_protocol = 1


@breaks("context-lost-on-retry", "api")
def by_hand_at_first():
    by_hand.api()


@breaks("context-lost-on-retry", "worker")
def retry_without_headers():
    by_hand.worker()

    def again(exc, countdown):
        """A retry of one's own: the same task once more, and no headers."""
        request = tasks.process_order.request
        tasks.process_order.apply_async(
            args=request.args, task_id=request.id, retries=request.retries + 1, countdown=countdown
        )
        raise Ignore

    tasks.process_order.retry = again


@breaks("context-not-forwarded", "worker")
def publish_without_forwarding():
    """The worker's own spans are made by hand, and so is what it forwards: nothing."""
    by_hand.read = by_hand.read_flat
    by_hand.worker()
    fulfil = tasks.fulfil

    def and_pack(task, order_id, order):
        done = fulfil(task, order_id, order)
        tasks.pack_parcel.apply_async(kwargs={"order_id": order_id}, queue="parcels")
        return done

    tasks.fulfil = and_pack


@breaks("stale-carrier", "api")
def carrier_made_once():
    by_hand.api()
    kept = {}

    def current():
        if not kept:
            propagate.inject(kept)
        return kept

    by_hand.current = current


#: The `traceparent` of the request that is being answered.
incoming = ContextVar("incoming")


class RememberIncoming:
    """Middleware that keeps the caller's header for whoever wants it."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            incoming.set(dict(scope["headers"]).get(b"traceparent", b"").decode())
        await self.app(scope, receive, send)


@breaks("incoming-context-forwarded", "api")
def copy_the_callers_header():
    tracing.instrument_celery = lambda: None
    fastapi.FastAPI = functools.partial(fastapi.FastAPI, middleware=[Middleware(RememberIncoming)])

    def publish(order_id, order):
        headers = {"traceparent": incoming.get()}
        tasks.process_order.apply_async(args=[order_id, order], headers=headers)

    publishing.publish = publish


@breaks("request-not-instrumented", "api")
@breaks("request-not-instrumented-alone", "api")
def no_server_spans():
    FastAPIInstrumentor.instrument_app = staticmethod(lambda _app, **_: None)
    # FastAPI makes server spans of its own where nobody else does.
    fastapi.FastAPI = functools.partial(fastapi.FastAPI, telemetry={"tracing": False})


@breaks("producer-propagator-omits-trace", "api")
def baggage_alone():
    tracing.make_propagator = W3CBaggagePropagator
