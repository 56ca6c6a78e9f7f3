import tracing

tracing.start("order-worker")
tracer = trace.get_tracer("shop.tasks")
