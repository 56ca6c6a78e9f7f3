import os
import time

from celery import Celery
from opentelemetry import trace

app = Celery("thumbnails", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
# tracelink: celery-settings

tracer = trace.get_tracer(__name__)


@app.task
def make_thumbnail(name, size):
    # tracelink: task
    with tracer.start_as_current_span("resize") as span:
        span.set_attribute("image.size", size)
        time.sleep(0.05)
    return f"{name}@{size}"
