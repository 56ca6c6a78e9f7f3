def traceparent(span):
    return f"00-{span.trace_id}-{span.span_id}-01"
