"""How a task gets to the worker."""

from shop import app


def publish(task, *args, **options):
    """Queues the task.

    The instrumentor writes the trace context into the message: there is nothing
    to do for it here.
    """
    headers = {}
    # tracelink: publish
    return task.apply_async(args, headers=headers, **options)


def connect():
    """Reaches the broker and the result backend, so that the first order need not wait for them."""
    with app.producer_pool.acquire(block=True) as producer:
        producer.connection.ensure_connection(max_retries=3)
    app.backend.client.ping()
