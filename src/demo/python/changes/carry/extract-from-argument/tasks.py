from opentelemetry import propagate


@app.task(bind=True, name="process_order", max_retries=3)
def process_order(self, order_id, order):
    """Confirms an order by email and takes it from the inventory."""
    # tracelink: task
    ctx = propagate.extract(order["trace_context"])
    # tracelink: task-context
    with open_span("fulfil_order", ctx):  # tracelink: task-span
        return fulfil(self, order_id, order)
