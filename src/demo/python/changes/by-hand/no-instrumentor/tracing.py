def start(service_name):
    """The order matters: the provider first, so that no span is made without it."""
    set_provider(service_name)
    set_propagators()
