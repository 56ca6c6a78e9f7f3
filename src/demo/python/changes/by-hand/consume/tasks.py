import json

from opentelemetry import propagate


@app.task(bind=True, name="process_order", max_retries=3)
def process_order(self, order_id, order):
    """Confirms an order by email and takes it from the inventory."""
    # tracelink: task
    ctx = propagate.extract(read_carrier(self.request.headers))
    # tracelink: task-context
    with open_span("process_order", ctx, trace.SpanKind.CONSUMER):  # tracelink: task-span
        return fulfil(self, order_id, order)


def read_carrier(headers):
    """The carrier out of a message's headers, which are None where none were sent."""
    return json.loads((headers or {}).get("trace_context", "{}"))
