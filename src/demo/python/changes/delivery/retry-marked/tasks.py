@app.task(bind=True, name="process_order", max_retries=3)
def process_order(self, order_id, order):
    """Confirms an order by email and takes it from the inventory."""
    # tracelink: task
    ctx = context.get_current()
    # tracelink: task-context
    try:
        with open_span("fulfil_order", ctx):  # tracelink: task-span
            return fulfil(self, order_id, order)
    except Exception as error:
        trace.get_current_span().set_status(trace.StatusCode.ERROR, str(error))
        raise
