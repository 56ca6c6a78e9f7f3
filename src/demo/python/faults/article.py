"""The faults of a program that was written as one often reads it.

Each is also a fault of the other files, come by in another way.
"""

import json
import sys

import by_hand
import publishing
import tracing
from celery.exceptions import Retry
from opentelemetry import propagate, trace
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from . import breaks, from_outside

# `celery -A shop worker`, in the manifest: `shop` does not know the tasks.
from_outside("article-tasks-never-imported")


class NotInstalled:
    """An importer that knows one package not to be there."""

    def __init__(self, name):
        self.name = name

    def find_spec(self, name, _path=None, _target=None):
        if name == self.name or name.startswith(f"{self.name}."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@breaks("article-b3-not-installed", "worker")
def the_b3_package_is_missing():
    """The list of packages to install did not have it."""
    missing = "opentelemetry.propagators.b3"
    for name in [name for name in sys.modules if name == "tracing" or name.startswith(missing)]:
        del sys.modules[name]
    sys.meta_path.insert(0, NotInstalled(missing))


@breaks("article-provider-set-by-import", "api")
def importing_the_tasks_sets_the_provider():
    """The tasks' module starts the worker's tracing, and the API imports it first.

    The second provider is refused: "Overriding of current TracerProvider is not
    allowed", a line in a log that is easily missed.
    """
    tracing.start("order-worker")


@breaks("article-two-consumer-spans", "api")
def write_by_hand_too():
    publishing.publish = by_hand.publish


@breaks("article-two-consumer-spans", "worker")
def read_by_hand_too():
    by_hand.consume_by_hand()


@breaks("article-headers-none", "script")
def a_script_without_headers():
    """Another caller of the same task, which knows nothing of traces."""
    tracing.instrument_celery = lambda: None


@breaks("article-headers-none", "worker")
def read_headers_that_are_none():
    by_hand.read = lambda headers: json.loads(headers.get(by_hand.KEY, "{}"))
    by_hand.worker()


@breaks("article-lost-at-exit", "worker")
def nobody_flushes():
    """Spans wait for the batch's delay, and the worker's child ends before."""
    tracing.stop = lambda: None


@breaks("article-retry-marked-error", "api")
@breaks("article-headers-none", "api")
def by_hand_api():
    by_hand.api()


@breaks("article-retry-marked-error", "worker")
def except_exception():
    """`except Exception` takes the retry for a failure."""
    by_hand.worker()
    consume = by_hand.consume

    def marking(fulfil, *order):
        def marked(*order):
            try:
                return fulfil(*order)
            except Retry as error:
                span = trace.get_current_span()
                span.record_exception(error)
                span.set_status(trace.StatusCode.ERROR, str(error))
                raise

        return consume(marked, *order)

    by_hand.consume = marking


# Four issues that are called common.


@breaks("article-propagators-differ", "api")
def the_api_writes_b3():
    tracing.make_propagator = B3MultiFormat
    by_hand.api()


@breaks("article-propagators-differ", "worker")
def the_worker_reads_w3c():
    tracing.make_propagator = TraceContextTextMapPropagator
    by_hand.worker()


@breaks("article-empty-context", "api")
def inject_before_there_is_a_span():
    """The carrier is filled when the module is imported: there is no request yet."""
    by_hand.api()
    carrier = {}
    propagate.inject(carrier)
    by_hand.current = lambda: carrier


@breaks("article-wrong-header-key", "api")
def another_key():
    by_hand.api()
    by_hand.write = lambda carrier: {"trace-context": json.dumps(carrier)}


@breaks("article-empty-context", "worker")
@breaks("article-wrong-header-key", "worker")
def by_hand_worker():
    by_hand.worker()
