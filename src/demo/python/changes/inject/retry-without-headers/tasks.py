def fulfil(task, order_id, order):
    """The work itself; queued again, later and later, while the email service is down."""
    span = trace.get_current_span()
    span.set_attribute("order.id", order_id)
    attempt = task.request.retries
    try:
        send_confirmation_email(order_id, order, attempt)
    except EmailServiceUnavailable as reason:
        headers = {}
        same = {"task_id": task.request.id, "retries": attempt + 1, "countdown": 2**attempt * WORK_SCALE}
        # tracelink: retry
        task.apply_async((order_id, order), headers=headers, **same)
        raise Ignore from reason
    update_inventory(order)
    return {"order_id": order_id, "status": "confirmed"}
