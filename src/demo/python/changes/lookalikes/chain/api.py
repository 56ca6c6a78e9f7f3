from celery import chain


def queue_order(order_id, order):
    process = tasks.process_order.si(order_id, order)
    chain(process, tasks.pack_parcel.s(order_id=order_id)).apply_async()
