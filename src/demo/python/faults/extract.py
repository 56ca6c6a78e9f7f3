"""Station extract: the worker does not take the context up."""

import json

import by_hand
import tracing
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from . import breaks

# Both sides speak one format each, and not the same.


@breaks("propagator-mismatch", "api")
@breaks("propagator-mismatch-by-hand", "api")
def write_b3():
    tracing.make_propagator = B3MultiFormat


@breaks("propagator-mismatch-b3-single", "api")
def write_single_b3():
    tracing.make_propagator = B3SingleFormat


@breaks("propagator-mismatch-jaeger", "api")
def write_jaeger():
    tracing.make_propagator = JaegerPropagator


@breaks("propagator-mismatch-worker-b3", "api")
@breaks("propagator-mismatch", "worker")
@breaks("propagator-mismatch-b3-single", "worker")
@breaks("propagator-mismatch-jaeger", "worker")
def speak_w3c():
    tracing.make_propagator = TraceContextTextMapPropagator


@breaks("propagator-mismatch-worker-b3", "worker")
def read_b3():
    tracing.make_propagator = B3MultiFormat


@breaks("propagator-mismatch-by-hand", "worker")
def read_w3c_by_hand():
    tracing.make_propagator = TraceContextTextMapPropagator
    by_hand.read = by_hand.read_flat
    by_hand.worker()


@breaks("carrier-key-mismatch", "api")
def another_key():
    by_hand.api()
    by_hand.write = lambda carrier: {"trace-context": json.dumps(carrier)}


@breaks("carrier-key-mismatch", "worker")
@breaks("carrier-shape-mismatch-flat", "worker")
def read_nested():
    by_hand.worker()


@breaks("carrier-shape-mismatch", "api")
def write_nested():
    """The worker's instrumentor reads flat headers only."""
    by_hand.api()


@breaks("carrier-shape-mismatch-flat", "api")
@breaks("extract-result-ignored", "api")
def write_flat():
    by_hand.api()
    by_hand.write = by_hand.write_flat


@breaks("extract-result-ignored", "worker")
def ignore_what_was_read():
    by_hand.read = by_hand.read_flat
    by_hand.worker()
    open_span = by_hand.open_span
    by_hand.open_span = lambda _context: open_span(None)


@breaks("worker-not-instrumented", "worker")
def no_instrumentor():
    tracing.instrument_celery = lambda: None


@breaks("duplicate-consumer-spans", "worker")
def both_ways():
    """Instrumented, and by hand all the same."""
    by_hand.read = by_hand.read_flat
    # From the message, whatever span is current.
    by_hand.consume_by_hand()


@breaks("worker-crashed-reading-context", "api")
def send_no_headers():
    tracing.instrument_celery = lambda: None


@breaks("worker-crashed-reading-context", "worker")
def trust_the_headers():
    by_hand.read = lambda headers: json.loads(headers.get(by_hand.KEY, "{}"))
    by_hand.worker()
