def as_headers(carrier):
    return {"trace_context": carrier}
