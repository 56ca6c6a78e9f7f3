import pytest
from celery import Celery
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor

CeleryInstrumentor().instrument()
app = Celery("eager", broker="memory://")
app.conf.task_always_eager = True


@app.task(name="double")
def double(number):
    return 2 * number


def test_a_task_that_is_never_published_is_no_handoff(tracelink):
    with trace.get_tracer("shop").start_as_current_span("order"):
        assert double.delay(2).get() == 4
    tracelink.assert_one_trace(spans=["order", "run/double"])
    with pytest.raises(AssertionError, match="saw 0.*(?s:.*)task_always_eager"):
        tracelink.assert_handoffs(1)
