def set_propagators():
    propagate.set_global_textmap(W3CBaggagePropagator())
    # tracelink: propagators
