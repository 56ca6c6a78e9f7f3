"""How an order gets to the worker."""

import tasks


def publish(order_id, order, _incoming):
    """Queues the order.

    The instrumentor writes the trace context into the message: there is nothing
    to do for it here. `_incoming` are the headers of the request.
    """
    tasks.process_order.apply_async(args=[order_id, order])
