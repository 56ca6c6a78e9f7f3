def set_propagators():
    formats = [TraceContextTextMapPropagator(), W3CBaggagePropagator()]
    propagate.set_global_textmap(CompositePropagator(formats))
    # tracelink: propagators
