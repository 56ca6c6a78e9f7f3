def make_exporter():
    return OTLPSpanExporter(endpoint="http://127.0.0.1:9", insecure=True, timeout=1)
