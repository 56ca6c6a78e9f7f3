"""Stands for an environment in which the B3 propagator was not installed."""

import sys

MISSING = "opentelemetry.propagators.b3"


class NotInstalled:
    def find_spec(self, name, _path=None, _target=None):
        if name == MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, NotInstalled())
