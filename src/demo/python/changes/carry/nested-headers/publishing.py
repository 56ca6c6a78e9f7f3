def as_headers(carrier):
    """As Celery before 5.3 asked for."""
    return {"headers": carrier}
