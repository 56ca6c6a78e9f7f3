from opentelemetry import trace


def test_whole(celery_app, celery_worker, tracelink):
    with trace.get_tracer("shop").start_as_current_span("order", kind=trace.SpanKind.SERVER):
        celery_app.tasks["ship"].delay("o1").get(timeout=20)
    tracelink.assert_handoffs(1)
    tracelink.assert_one_trace(spans=["order", "run/ship"])
