"""The shop's API: `POST /orders` takes an order and hands it to the worker.

python -m uvicorn api:app
"""

from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from pydantic import BaseModel

import publishing
import tasks
import tracing
from shop import work

tracing.start("order-api")
tracer = trace.get_tracer("shop.api")


@asynccontextmanager
async def lifespan(_app):
    publishing.connect()
    yield
    tracing.stop()


# tracelink: before-app
app = FastAPI(lifespan=lifespan)
# A span for each message of the ASGI protocol tells nobody anything.
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])
# tracelink: after-app

#: What is saved, by its id. A real shop has a database here.
saved = {}


class Order(BaseModel):
    user_id: str
    product_id: str
    quantity: int


@app.post("/orders", status_code=202)
def create_order(order: Order):
    validate_order(order)
    order_id = save_order(order)
    queue_order(order_id, order.model_dump())
    return {"order_id": order_id, "status": "accepted"}


def validate_order(order):
    """Refuses what nobody can order: a mistake of the customer's, and no error of the API's."""
    with tracer.start_as_current_span(
        "validate_order", record_exception=False, set_status_on_exception=False
    ) as span:
        work(0.008)
        span.set_attribute("order.quantity", order.quantity)
        if order.quantity <= 0:
            span.set_attribute("order.refused", "quantity")
            raise HTTPException(status_code=400, detail="quantity must be at least 1")


def save_order(order):
    with tracer.start_as_current_span("save_order") as span:
        order_id = f"order-{uuid4().hex[:12]}"
        saved[order_id] = order
        work(0.035)
        span.set_attribute("order.id", order_id)
        return order_id


def queue_order(order_id, order):
    publishing.publish(tasks.process_order, order_id, order)
