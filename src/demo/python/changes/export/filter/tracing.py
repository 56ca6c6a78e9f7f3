#: What is not worth a row of the backend.
DROPPED = trace.SpanKind.SERVER


class Filter(BatchSpanProcessor):
    def on_end(self, span):
        if span.kind != DROPPED:
            super().on_end(span)


def set_provider(service_name):
    """Spans are held for OTEL_BSP_SCHEDULE_DELAY milliseconds (5,000 by default)."""
    provider = TracerProvider(resource=make_resource(service_name), sampler=make_sampler())
    # tracelink: provider
    exporter = make_exporter()
    # tracelink: exporter
    provider.add_span_processor(Filter(exporter))
    # tracelink: set-provider
    trace.set_tracer_provider(provider)
