def queue_order(order_id, order):
    """There is no queue."""
    tasks.process_order(order_id, order)
