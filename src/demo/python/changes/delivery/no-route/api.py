def queue_order(order_id, order):
    publishing.publish(tasks.process_order, order_id, order, exchange="wholesale", routing_key="orders.new")
