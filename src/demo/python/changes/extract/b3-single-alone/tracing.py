from opentelemetry.propagators.b3 import B3SingleFormat


def set_propagators():
    propagate.set_global_textmap(B3SingleFormat())
    # tracelink: propagators
