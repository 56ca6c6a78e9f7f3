import os

import pytest
from celery import Celery
from opentelemetry.instrumentation.celery import CeleryInstrumentor

CeleryInstrumentor().instrument()

pytest_plugins = ["celery.contrib.pytest"]
BROKER = os.environ["BROKER_URL"]
app = Celery("shop", broker=BROKER, backend=BROKER)


@app.task(name="ship")
def ship(order):
    return order


@pytest.fixture
def celery_app():
    return app


@pytest.fixture
def celery_worker_parameters():
    return {"perform_ping_check": False}
