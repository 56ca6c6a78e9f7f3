"""The other healthy way: trace context carried by hand, without an instrumentor.

Many programs do it so, and many of the faults are faults of this way. `api` and
`worker` switch a program over; `write` and `read` are the two ends of the
passage, and must agree.
"""

import json

import publishing
import tasks
import tracing
from celery.exceptions import Ignore, Retry
from opentelemetry import propagate, trace

tracer = trace.get_tracer("shop.by_hand")

#: The header that holds the carrier, as JSON text.
KEY = "trace_context"


def api():
    """The API writes the context itself."""
    tracing.instrument_celery = lambda: None
    publishing.publish = publish


def worker():
    """The worker reads the context itself, and makes the consumer span."""
    tracing.instrument_celery = lambda: None
    consume_by_hand()


def consume_by_hand():
    """Wraps the work in a consumer span."""
    fulfil = tasks.fulfil
    tasks.fulfil = lambda task, order_id, order: consume(fulfil, task, order_id, order)


def publish(order_id, order):
    tasks.process_order.apply_async(args=[order_id, order], headers=write(current()))


def current():
    """The carrier of the span that is current."""
    carrier = {}
    propagate.inject(carrier)
    return carrier


def write(carrier):
    """A carrier as the headers of a message."""
    return {KEY: json.dumps(carrier)}


def read(headers):
    """The carrier out of a message's headers, which are None where none were sent."""
    return json.loads((headers or {}).get(KEY, "{}"))


def write_flat(carrier):
    """As the instrumentor writes it."""
    return carrier


def read_flat(headers):
    """As the instrumentor reads it."""
    return headers or {}


def consume(fulfil, task, order_id, order):
    """A consumer span around the work. To be tried again is no error; to fail is."""
    with open_span(propagate.extract(read(task.request.headers))) as span:
        span.set_attribute("order.id", order_id)
        span.set_attribute("task.retry_count", task.request.retries)
        span.set_attribute("task.max_retries", task.max_retries)
        try:
            return fulfil(task, order_id, order)
        except (Ignore, Retry):
            span.set_attribute("task.will_retry", True)
            raise
        except Exception as error:
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, str(error))
            raise


def open_span(context):
    return tracer.start_as_current_span(
        "process_order",
        context=context,
        kind=trace.SpanKind.CONSUMER,
        record_exception=False,
        set_status_on_exception=False,
    )
