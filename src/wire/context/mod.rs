//! Trace context in every format that is seen in Celery messages.
