"""How an order gets to the worker."""

import tasks
from shop import celery


def publish(order_id, order):
    """Queues the order.

    The instrumentor writes the trace context into the message: there is nothing
    to do for it here.
    """
    tasks.process_order.apply_async(args=[order_id, order])


def connect():
    """Reaches the broker and the result backend, so that the first order need not wait for them."""
    with celery.producer_pool.acquire(block=True) as producer:
        producer.connection.ensure_connection(max_retries=3)
    celery.backend.client.ping()
