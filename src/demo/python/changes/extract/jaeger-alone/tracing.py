from opentelemetry.propagators.jaeger import JaegerPropagator


def set_propagators():
    propagate.set_global_textmap(JaegerPropagator())
    # tracelink: propagators
