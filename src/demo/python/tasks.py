"""What the worker does with an order."""

import os

from opentelemetry import trace

from shop import WORK_SCALE, celery, work

tracer = trace.get_tracer("shop.tasks")

#: How many attempts of each email fail: a number, or `all`.
EMAIL_FAILURES = os.environ.get("TRACELINK_DEMO_EMAIL_FAILURES", "0")


class EmailServiceUnavailable(Exception):
    """The email service did not take the message."""


@celery.task(bind=True, name="process_order", max_retries=3)
def process_order(self, order_id, order):
    """Confirms an order by email and takes it from the inventory."""
    return fulfil(self, order_id, order)


def fulfil(task, order_id, order):
    """The work itself; tried again, later and later, while the email service is down."""
    span = trace.get_current_span()
    span.set_attribute("order.id", order_id)
    span.set_attribute("task.attempt", task.request.retries + 1)
    span.set_attribute("task.attempts_allowed", task.max_retries + 1)
    try:
        send_confirmation_email(order_id, order, task.request.retries)
    except EmailServiceUnavailable as reason:
        raise task.retry(exc=reason, countdown=2**task.request.retries * WORK_SCALE) from reason
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


@celery.task(name="pack_parcel")
def pack_parcel(_before=None, order_id=None):
    """A second step, for orders that go through several hands."""
    with tracer.start_as_current_span("pack_parcel"):
        work(0.2)
    return order_id


@celery.task(name="report_day")
def report_day(results=None):
    """Adds up what others did: the end of a chord, and what beat runs."""
    return len(results or [])
