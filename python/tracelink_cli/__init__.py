"""Says why a distributed trace breaks between a web API and its Celery worker.

The work is done by the binary `tracelink`, which comes with this package.
"""
