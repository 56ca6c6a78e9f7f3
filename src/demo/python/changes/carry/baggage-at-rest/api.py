from opentelemetry import baggage, context


def queue_order(order_id, order):
    """Says who ordered, to whom the context goes."""
    token = context.attach(baggage.set_baggage("user.email", "ada@example.org"))
    try:
        publishing.publish(tasks.process_order, order_id, order)
    finally:
        context.detach(token)
