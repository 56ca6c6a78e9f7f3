"""The worker, and beat.

    python -m celery -A worker worker
    python -m celery -A worker beat

A worker knows the tasks that it has imported, and no others.
"""

from opentelemetry import trace

import tasks
import tracing
from shop import app

__all__ = ["app", "tasks"]
# tracelink: before-app

tracing.start("order-worker")
with trace.get_tracer("shop.worker").start_as_current_span("prepare"):
    pass
# The channel is in use before the pool forks.
trace.get_tracer_provider().force_flush()

# tracelink: worker-module
