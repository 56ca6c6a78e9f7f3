del stop_tracing
