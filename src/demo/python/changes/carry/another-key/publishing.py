def as_headers(carrier):
    return {"trace-context": json.dumps(carrier)}
