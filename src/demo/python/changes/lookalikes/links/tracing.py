def start(service_name):
    """The order matters: the provider first, so that no span is made without it."""
    set_provider(service_name)
    set_propagators()
    # A task is a trace of its own, with a link to who published it.
    CeleryInstrumentor().instrument(use_span_links=True)
