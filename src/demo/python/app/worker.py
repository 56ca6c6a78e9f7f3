"""The worker, and beat.

    python -m celery -A worker worker
    python -m celery -A worker beat

A worker knows the tasks that it has imported, and no others. Its prefork pool
forks: the provider, with its exporting thread and its gRPC channel, is made in
each child after the fork, and sends what it holds before the child ends.
"""

from celery.signals import beat_init, worker_process_init, worker_process_shutdown

import tasks
import tracing
from shop import app

__all__ = ["app", "tasks"]
# tracelink: before-app


@worker_process_init.connect(weak=False)
def start_tracing(**_):
    tracing.start("order-worker")


@worker_process_shutdown.connect(weak=False)
def stop_tracing(**_):
    tracing.stop()


@beat_init.connect(weak=False)
def start_beat_tracing(**_):
    tracing.start("order-beat")


# tracelink: worker-module
