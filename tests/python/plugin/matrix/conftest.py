"""A Redis of pytest-redis as the broker, and applications of several kinds before it."""

import asyncio

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from opentelemetry.instrumentation.celery import CeleryInstrumentor

CeleryInstrumentor().instrument()


@pytest.fixture(scope="session")
def app(redis_proc):
    url = f"redis://{redis_proc.host}:{redis_proc.port}/0"
    app = Celery("matrix", broker=url, backend=url)

    @app.task(name="double")
    def double(number):
        return 2 * number

    return app


@pytest.fixture(scope="session")
def worker(app):
    with start_worker(app, perform_ping_check=False) as worker:
        yield worker


@pytest.fixture
def run():
    """Runs a coroutine where there is no pytest-asyncio."""
    return asyncio.run
