del start_tracing, stop_tracing
