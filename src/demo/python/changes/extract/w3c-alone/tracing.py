def set_propagators():
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    # tracelink: propagators
