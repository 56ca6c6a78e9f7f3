def queue_order(order_id, order):
    """Large orders have a route of their own."""
    is_large = order["quantity"] >= 100
    route = {"exchange": "wholesale", "routing_key": "orders.large"} if is_large else {}
    publishing.publish(tasks.process_order, order_id, order, **route)
