"""Station export: the spans are made, and do not arrive."""

import time

import by_hand
import tasks
import tracing
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from . import breaks, from_outside

#: Nobody listens here: the port of `discard`.
NOBODY = "http://127.0.0.1:9"

# By the processes of the manifest alone: another pool, a kill before the export.
from_outside("worker-silent-threads", "parent-not-exported-killed")


@breaks("worker-silent", "worker")
def no_sdk():
    tracing.start = lambda _service_name: None
    tracing.stop = lambda: None


@breaks("worker-silent-wrong-endpoint", "worker")
@breaks("nothing-received", "api", "worker")
@breaks("parent-not-exported", "api")
def export_to_nobody():
    tracing.make_exporters = lambda: [OTLPSpanExporter(endpoint=NOBODY, insecure=True, timeout=1)]


@breaks("worker-silent-lost-at-exit", "worker")
def no_flush():
    tracing.stop = lambda: None


@breaks("worker-silent-sampler-off", "worker")
def keep_nothing():
    tracing.make_sampler = lambda: ALWAYS_OFF


@breaks("parent-not-ended", "api")
def carry_by_hand():
    by_hand.api()


@breaks("parent-not-ended", "worker")
def leak_the_consumer():
    """The consumer span is started by hand, and nobody ends it."""
    by_hand.worker()

    def open_span(context):
        span = by_hand.tracer.start_span("process_order", context=context, kind=trace.SpanKind.CONSUMER)
        return trace.use_span(span, end_on_exit=False)

    by_hand.open_span = open_span


@breaks("parent-not-ended-inside", "worker")
def leak_a_span():
    fulfil = tasks.fulfil

    def under_a_span_that_never_ends(*order):
        span = trace.get_tracer("shop.audit").start_span("handle_order")
        with trace.use_span(span, end_on_exit=False):
            return fulfil(*order)

    tasks.fulfil = under_a_span_that_never_ends


@breaks("exported-twice", "api")
def two_exporters():
    tracing.make_exporters = lambda: [
        OTLPSpanExporter(insecure=True),
        HttpSpanExporter(endpoint=f"{tracing.http_endpoint()}/v1/traces"),
    ]


@breaks("grpc-on-http-port", "worker")
def grpc_to_the_http_port():
    tracing.make_exporters = lambda: [
        OTLPSpanExporter(endpoint=tracing.http_endpoint(), insecure=True, timeout=1)
    ]


@breaks("http-endpoint-without-path", "worker")
def no_path():
    """`endpoint=` is taken as it is; only OTEL_EXPORTER_OTLP_ENDPOINT gets the path added."""
    tracing.make_exporters = lambda: [HttpSpanExporter(endpoint=tracing.http_endpoint(), timeout=1)]


@breaks("spans-dropped", "worker")
def more_than_the_queue_holds():
    """Thousands of spans that end at once: 2,048 have room."""
    fulfil = tasks.fulfil
    tracer = trace.get_tracer("shop.audit")

    def audited(*order):
        pages = [tracer.start_span("audit_page") for _ in range(6000)]
        for page in pages:
            tracer.start_span("audit_line", context=trace.set_span_in_context(page)).end()
            time.sleep(0.0001)
        for page in pages:
            page.end()
        return fulfil(*order)

    tasks.fulfil = audited


@breaks("service-name-unset", "api", "worker")
def no_name():
    tracing.make_resource = lambda _service_name: Resource.create({})


@breaks("service-name-collision", "api", "worker")
def one_name_for_both():
    named = tracing.make_resource
    tracing.make_resource = lambda _service_name: named("orders")
