def as_headers(carrier):
    return {"trace_context": json.dumps(json.dumps(carrier))}
