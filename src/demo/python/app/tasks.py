"""What the worker does with an order."""

import os
from contextlib import contextmanager

from celery.exceptions import Ignore, Retry
from opentelemetry import context, trace

from shop import WORK_SCALE, app, work

tracer = trace.get_tracer("shop.tasks")

#: How many attempts of each email fail: a number, or `all`.
EMAIL_FAILURES = os.environ.get("TRACELINK_DEMO_EMAIL_FAILURES", "0")


class EmailServiceUnavailable(Exception):
    """The email service did not take the message."""


@app.task(bind=True, name="process_order", max_retries=3)
def process_order(self, order_id, order):
    """Confirms an order by email and takes it from the inventory.

    The instrumentor has opened the consumer span, which is current.
    """
    # tracelink: task
    ctx = context.get_current()
    # tracelink: task-context
    with open_span("fulfil_order", ctx):  # tracelink: task-span
        return fulfil(self, order_id, order)


@contextmanager
def open_span(name, ctx, kind=trace.SpanKind.INTERNAL):
    """A span that an error marks. To be tried again is none."""
    with tracer.start_as_current_span(
        name, context=ctx, kind=kind, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield
        except (Ignore, Retry):
            span.set_attribute("task.will_retry", True)
            raise
        except Exception as error:
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, str(error))
            raise


def fulfil(task, order_id, order):
    """The work itself; tried again, later and later, while the email service is down."""
    span = trace.get_current_span()
    span.set_attribute("order.id", order_id)
    span.set_attribute("task.attempt", task.request.retries + 1)
    span.set_attribute("task.attempts_allowed", task.max_retries + 1)
    try:
        send_confirmation_email(order_id, order, task.request.retries)
    except EmailServiceUnavailable as reason:
        headers = dict(task.request.headers or {})
        later = 2**task.request.retries * WORK_SCALE
        # tracelink: retry
        raise task.retry(exc=reason, countdown=later, headers=headers) from reason
    update_inventory(order)
    return {"order_id": order_id, "status": "confirmed"}


def send_confirmation_email(order_id, order, attempt):
    with tracer.start_as_current_span("send_confirmation_email") as span:
        span.set_attribute("order.id", order_id)
        span.set_attribute("email.to", order["user_id"])
        span.set_attribute("email.attempt", attempt + 1)
        if EMAIL_FAILURES == "all" or attempt < int(EMAIL_FAILURES):
            raise EmailServiceUnavailable(f"attempt {attempt + 1}: the email service answers 503")
        work(0.8)


def update_inventory(order):
    with tracer.start_as_current_span("update_inventory") as span:
        span.set_attribute("product.id", order["product_id"])
        span.set_attribute("inventory.change", -order["quantity"])
        work(0.4)


@app.task(name="pack_parcel")
def pack_parcel(_before=None, order_id=None):
    """A second step, for orders that go through several hands."""
    with tracer.start_as_current_span("pack_parcel"):
        work(0.2)
    return order_id


@app.task(name="report_day")
def report_day(results=None):
    """Adds up what others did: the end of a chord, and what beat runs."""
    return len(results or [])
