import shop


def queue_order(order_id, order):
    """The API need not know the task, only its name."""
    shop.app.send_task("process_order", args=[order_id, order])
