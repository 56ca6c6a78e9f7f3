def traceparent(span):
    return f"00-{span.trace_id:032X}-{span.span_id:016X}-01"
