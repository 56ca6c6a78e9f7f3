"""opentelemetry-instrument celery -A billing worker"""

import os
import time

from celery import Celery

app = Celery("billing", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_BROKER_URL"])
# tracelink: celery-settings


@app.task(name="billing.invoice")
def invoice(customer):
    # tracelink: task
    time.sleep(0.05)
    return f"invoice of {customer}"


# tracelink: worker-module
