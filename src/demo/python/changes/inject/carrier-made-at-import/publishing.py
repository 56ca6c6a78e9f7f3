carrier = {}
propagate.inject(carrier)


def make_carrier():
    return carrier
