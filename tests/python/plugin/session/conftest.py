"""Each worker of pytest-xdist has a database of its own: another's Celery worker would take its tasks."""

import os

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from opentelemetry.instrumentation.celery import CeleryInstrumentor

number = os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]
BROKER = os.environ["BROKER_URL"].rpartition("/")[0] + f"/{number}"
app = Celery("session", broker=BROKER, backend=BROKER)


@app.task(name="double")
def double(number):
    return 2 * number


@pytest.fixture(scope="session", autouse=True)
def worker():
    # The worker's side alone is instrumented: the message carries no context.
    instrumentor = CeleryInstrumentor()
    instrumentor.instrument()
    from celery import signals

    for signal in (signals.before_task_publish, signals.after_task_publish):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()
    with start_worker(app, perform_ping_check=False) as worker:
        yield worker


@pytest.fixture
def call():
    return double.delay
