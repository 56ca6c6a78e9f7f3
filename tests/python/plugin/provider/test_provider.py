from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)


def test_the_application_s_own_provider_stays(tracelink):
    with trace.get_tracer("shop").start_as_current_span("open"):
        pass
    tracelink.assert_one_trace(services=["shop"], spans=["open"])
    assert trace.get_tracer_provider() is provider
    assert len(exporter.get_finished_spans()) == 1
    assert not tracelink.findings, "nothing is exported twice"
