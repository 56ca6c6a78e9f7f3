"""The shop: its Celery application and its settings, shared by all its programs.

It sets up no tracing: a module that several programs import must not decide who
they are.
"""

import os
import time

from celery import Celery

BROKER = os.environ.get("TRACELINK_DEMO_BROKER", "redis://127.0.0.1:6379/0")

#: How long work takes, as a factor: 1 is a confirmation email of 0.8 s.
WORK_SCALE = float(os.environ.get("TRACELINK_DEMO_WORK_SCALE", "1"))

app = Celery("shop", broker=BROKER, backend=BROKER)
app.conf.update(
    task_track_started=True,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
)
# tracelink: celery-settings


def work(seconds):
    """Stands for work that takes so long."""
    time.sleep(seconds * WORK_SCALE)
