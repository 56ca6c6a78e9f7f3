import signal


def update_inventory(_order):
    """As the kernel does it when memory is out."""
    os.kill(os.getpid(), signal.SIGKILL)
