from celery import chord


def queue_order(order_id, order):
    process = tasks.process_order.si(order_id, order)
    chord([process, tasks.pack_parcel.si(order_id=order_id)], tasks.report_day.s()).apply_async()
