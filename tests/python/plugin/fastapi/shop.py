"""A shop: FastAPI takes orders, and a Celery worker ships them."""

import os

from celery import Celery
from fastapi import FastAPI
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

CeleryInstrumentor().instrument()

BROKER = os.environ.get("BROKER_URL", "redis://127.0.0.1:6379/0")
worker_app = Celery("shop", broker=BROKER, backend=BROKER)


@worker_app.task(name="ship")
def ship(order: str) -> str:
    return f"shipped {order}"


api = FastAPI()


@api.post("/orders", status_code=202)
def create_order(order: str) -> dict[str, str]:
    return {"task": ship.delay(order).id}


FastAPIInstrumentor.instrument_app(api)
