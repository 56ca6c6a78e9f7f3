"""What can be broken, one thing at a time.

`TRACELINK_DEMO_FAULT` names a fault. `enter` is called first thing in each
program and replaces the one function, or the one setting, that the fault is
about; nothing else differs from the healthy program, which knows of no fault.
`faults.json` says how each is acted out and what must be said of it.
"""

import importlib
import os

_STATIONS = ["inject", "carry", "extract", "sampling", "export", "delivery", "article", "lookalikes"]
_breakers = {}


def breaks(slug, *roles):
    """Registers a function that breaks the programs of these roles."""

    def register(function):
        for role in roles:
            assert (slug, role) not in _breakers, f"two faults for {slug} in {role}"
            _breakers[slug, role] = function
        return function

    return register


def enter(role):
    """Breaks this program as TRACELINK_DEMO_FAULT says; without it, nothing."""
    slug = os.environ.get("TRACELINK_DEMO_FAULT", "")
    if not slug:
        return
    read_all()
    if slug not in known():
        raise SystemExit(f"TRACELINK_DEMO_FAULT: no fault is named {slug!r}")
    breaker = _breakers.get((slug, role))
    if breaker:
        breaker()


def read_all():
    """Reads what can be broken. It breaks nothing, and imports most of the program."""
    for station in _STATIONS:
        importlib.import_module(f"faults.{station}")


def known():
    """The slugs that change a program. Others are acted out by the manifest alone."""
    return {slug for slug, _ in _breakers} | _ACTED_OUT_FROM_OUTSIDE


#: Faults of which the program knows nothing: a setting, a kill, no worker.
_ACTED_OUT_FROM_OUTSIDE = set()


def from_outside(*slugs):
    _ACTED_OUT_FROM_OUTSIDE.update(slugs)
