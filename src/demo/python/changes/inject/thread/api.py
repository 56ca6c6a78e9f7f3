import threading


def queue_order(order_id, order):
    """Publishes in a thread, which starts with an empty context."""
    thread = threading.Thread(target=publishing.publish, args=(tasks.process_order, order_id, order))
    thread.start()
    thread.join()
