kept = {}


def make_carrier():
    if not kept:
        propagate.inject(kept)
    return kept
