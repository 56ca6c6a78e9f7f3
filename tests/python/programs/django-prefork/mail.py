"""celery -A mail worker"""

import os
import time

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown
from opentelemetry import propagate, trace

from tracing import configure

app = Celery("mail", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
# tracelink: celery-settings
tracer = trace.get_tracer("members.mail")


@worker_process_init.connect(weak=False)
def begin_tracing(**kwargs):
    configure("members-mail")


@worker_process_shutdown.connect(weak=False)
def end_tracing(**kwargs):
    trace.get_tracer_provider().shutdown()


@app.task(bind=True, name="mail.send_welcome")
def send_welcome(self, member):
    # tracelink: task
    # Celery before 5.3 has the headers in the request itself.
    carrier = self.request.headers or vars(self.request)
    ctx = propagate.extract(carrier)
    # tracelink: task-context
    with tracer.start_as_current_span("send_welcome", context=ctx, kind=trace.SpanKind.CONSUMER):  # tracelink: task-span
        with tracer.start_as_current_span("smtp"):
            time.sleep(0.05)


# tracelink: worker-module
