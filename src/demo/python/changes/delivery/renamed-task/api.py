import shop


def queue_order(order_id, order):
    shop.app.send_task("shop.process_order", args=[order_id, order])
