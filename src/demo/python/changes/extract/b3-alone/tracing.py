def set_propagators():
    propagate.set_global_textmap(B3MultiFormat())
    # tracelink: propagators
