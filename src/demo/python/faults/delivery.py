"""Delivery: the message does not arrive, or its task does not end."""

import os
import signal

import publishing
import shop
import tasks
from celery.exceptions import Retry
from opentelemetry import trace

from . import breaks, from_outside

# By the processes of the manifest alone: no worker, or a stop in between.
from_outside("no-worker", "redelivered")


def publish_with(**options):
    publishing.publish = lambda order_id, order: tasks.process_order.apply_async(
        args=[order_id, order], **options
    )


@breaks("no-consumer-for-queue", "api")
def a_queue_of_its_own():
    publish_with(queue="orders")


@breaks("unroutable-message", "api")
def an_exchange_without_queues():
    """Large orders have a route of their own, and nobody bound a queue to it."""
    healthy = publishing.publish

    def publish(order_id, order):
        if order["quantity"] < 100:
            healthy(order_id, order)
        else:
            tasks.process_order.apply_async(
                args=[order_id, order], exchange="wholesale", routing_key="orders.large"
            )

    publishing.publish = publish


@breaks("unroutable-message-alone", "api")
def no_route_at_all():
    publish_with(exchange="wholesale", routing_key="orders.new")


@breaks("task-not-registered", "api")
def another_name():
    """The API was deployed with a new name for the task, the worker was not."""
    publishing.publish = lambda order_id, order: shop.celery.send_task(
        "shop.process_order", args=[order_id, order]
    )


@breaks("worker-killed", "worker")
def killed_half_way():
    """As the kernel does it when memory is out."""
    tasks.update_inventory = lambda _order: os.kill(os.getpid(), signal.SIGKILL)


@breaks("duplicate-execution", "api", "worker")
def visible_too_soon():
    """Acknowledged late, and given to another worker before it is done."""
    shop.celery.conf.task_acks_late = True
    shop.celery.conf.broker_transport_options = {"visibility_timeout": 1}


@breaks("task-expired", "api")
def not_worth_waiting_for():
    publish_with(expires=0.2)


@breaks("task-revoked", "api")
def taken_back():
    def publish(order_id, order):
        tasks.process_order.apply_async(args=[order_id, order], countdown=1).revoke()

    publishing.publish = publish


@breaks("retry-marked-error", "worker")
def any_exception_is_an_error():
    """A decorator that marks the task's span for whatever is raised, a retry too."""
    fulfil = tasks.fulfil

    def marked(*order):
        try:
            return fulfil(*order)
        except Retry as error:
            span = trace.get_current_span()
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, str(error))
            raise

    tasks.fulfil = marked
