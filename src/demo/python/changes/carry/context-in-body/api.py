from opentelemetry import propagate


def queue_order(order_id, order):
    carrier = {}
    propagate.inject(carrier)
    publishing.publish(tasks.process_order, order_id, {**order, "trace_context": carrier})
