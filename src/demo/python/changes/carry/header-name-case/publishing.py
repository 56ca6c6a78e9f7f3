def publish(task, *args, **options):
    """Queues the task, with a header for the span that is current."""
    headers = {"Traceparent": traceparent(trace.get_current_span().get_span_context())}
    # tracelink: publish
    return task.apply_async(args, headers=headers, **options)
