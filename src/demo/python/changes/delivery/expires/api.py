def queue_order(order_id, order):
    publishing.publish(tasks.process_order, order_id, order, expires=0.2)
