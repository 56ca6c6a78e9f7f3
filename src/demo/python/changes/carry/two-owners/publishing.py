from opentelemetry import context, trace
from opentelemetry.propagators.b3 import B3MultiFormat

tracer = trace.get_tracer("shop.audit")


def publish(task, *args, **options):
    """Queues the task, with the context of its audit."""
    headers = {}
    with tracer.start_as_current_span("audit", context=context.Context()):
        B3MultiFormat().inject(headers)
    # tracelink: publish
    return task.apply_async(args, headers=headers, **options)
