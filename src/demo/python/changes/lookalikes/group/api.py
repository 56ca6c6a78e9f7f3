from celery import group


def queue_order(order_id, order):
    process = tasks.process_order.si(order_id, order)
    group(process, tasks.pack_parcel.si(order_id=order_id)).apply_async()
