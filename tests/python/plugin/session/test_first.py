from opentelemetry import trace


def test_breaks(call):
    with trace.get_tracer("shop").start_as_current_span("order", kind=trace.SpanKind.SERVER):
        assert call(2).get(timeout=20) == 4
