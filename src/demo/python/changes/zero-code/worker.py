"""The worker, and beat.

    opentelemetry-instrument celery -A worker worker
    opentelemetry-instrument celery -A worker beat

A worker knows the tasks that it has imported, and no others.
"""

import tasks
from shop import app

__all__ = ["app", "tasks"]
# tracelink: before-app
# tracelink: worker-module
