import incoming


def publish(task, *args, **options):
    """Queues the task, with the context that came in."""
    headers = {"traceparent": incoming.traceparent.get()}
    # tracelink: publish
    return task.apply_async(args, headers=headers, **options)
