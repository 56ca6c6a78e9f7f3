def read_carrier(headers):
    """As the instrumentor reads it. Headers are None where none were sent."""
    return headers or {}
