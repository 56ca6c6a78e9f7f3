import asyncio


def queue_order(order_id, order):
    """`to_thread` takes the context along."""
    asyncio.run(asyncio.to_thread(publishing.publish, tasks.process_order, order_id, order))
