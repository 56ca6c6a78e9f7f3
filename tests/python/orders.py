"""A FastAPI application and its Celery worker, set up by the usual variables.

    orders.py drive             starts both, sends orders, waits for them, stops both

Nothing in it knows tracelink: the exporter, its protocol and the propagators come
from OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL and OTEL_PROPAGATORS,
that of the worker alone from WORKER_PROPAGATORS. The broker is at BROKER. With
API_COMMAND (JSON, a list of words) another API than this one's is started.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

BROKER = os.environ["BROKER"]
PORT = os.environ.get("PORT", "8000")
ORDERS = int(os.environ.get("ORDERS", "1"))


def set_up(service):
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
    return provider


def make_celery():
    from celery import Celery

    app = Celery("shop", broker=BROKER, backend=BROKER)

    @app.task(name="shop.orders.process")
    def process(order):
        time.sleep(0.05)
        return order

    return app, process


def api():
    import uvicorn
    from fastapi import FastAPI
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    provider = set_up("shop-api")
    _, process = make_celery()
    web = FastAPI()

    @web.post("/orders")
    def create(order: int):
        return {"id": process.delay(order).id}

    FastAPIInstrumentor.instrument_app(web)
    uvicorn.run(web, port=int(PORT), log_level="warning")
    provider.shutdown()


def worker():
    from celery.signals import worker_process_init, worker_process_shutdown

    providers = []
    worker_process_init.connect(lambda **_: providers.append(set_up("shop-worker")), weak=False)
    worker_process_shutdown.connect(lambda **_: providers[0].shutdown(), weak=False)
    app, _ = make_celery()
    app.worker_main(["worker", "--concurrency", "1", "--loglevel", "error", "--without-gossip", "--without-mingle"])


def drive():
    import redis

    def start(command, **env):
        return subprocess.Popen(command, env={**os.environ, **env})

    def this(role):
        return [sys.executable, __file__, role]

    broker = redis.Redis.from_url(BROKER)
    running = [start(json.loads(os.environ.get("API_COMMAND", "null")) or this("api"))]
    try:
        ids = [order(number) for number in range(ORDERS)]
        # Long enough for who looks at the queue to see the messages in it.
        time.sleep(1.0)
        propagators = os.environ.get("WORKER_PROPAGATORS", os.environ.get("OTEL_PROPAGATORS", "tracecontext,baggage"))
        running.append(start(this("worker"), OTEL_PROPAGATORS=propagators))
        deadline = time.time() + 120
        while time.time() < deadline and not all(broker.exists(f"celery-task-meta-{id}") for id in ids):
            time.sleep(0.05)
        if time.time() >= deadline:
            sys.exit("the worker did not run the tasks")
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def order(number):
    """Posts an order as soon as the API listens, and returns its task's id.

    Only a connection that is refused is tried again: an order that is slow is an order.
    """
    url = f"http://127.0.0.1:{PORT}/orders?order={number}"
    for _ in range(1_200):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=120) as answer:
                return json.load(answer)["id"]
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.1)
    sys.exit("the API did not come up")


if __name__ == "__main__":
    {"api": api, "worker": worker, "drive": drive}[sys.argv[1]]()
