import subprocess
import sys

import pytest
import shop
from opentelemetry import trace

shop.start_tracing("api")


@pytest.fixture
def worker():
    command = [sys.executable, "-m", "celery", "-A", "shop", "worker", "--concurrency", "1", "--loglevel", "error"]
    process = subprocess.Popen([*command, "--without-gossip", "--without-mingle"])
    yield
    process.terminate()
    process.wait(20)


def test_two_processes_make_one_trace(worker, tracelink):
    with trace.get_tracer("shop").start_as_current_span("order", kind=trace.SpanKind.SERVER):
        assert shop.ship.delay("o1").get(timeout=30) == "shipped o1"
    tracelink.assert_one_trace(services=["api", "worker"], spans=["order", "run/ship"])
    tracelink.assert_handoffs(1)
