def traceparent(span):
    return f"00-{span.trace_id:032x}-{span.span_id:016x}"
