def open_span(name, ctx, kind=trace.SpanKind.INTERNAL):
    """A span that an error marks."""
    return tracer.start_as_current_span(name, context=ctx, kind=kind)
