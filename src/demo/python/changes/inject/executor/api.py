from concurrent.futures import ThreadPoolExecutor

executor = ThreadPoolExecutor(4)


def queue_order(order_id, order):
    """Publishes in a thread of the pool, which has the context of none."""
    executor.submit(publishing.publish, tasks.process_order, order_id, order).result()
