def read_carrier(headers):
    return json.loads(headers.get("trace_context", "{}"))
