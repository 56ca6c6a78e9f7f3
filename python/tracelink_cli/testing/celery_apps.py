"""What the Celery applications of this process say of themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from tracelink_cli.testing.receiver import Broker

#: The brokers that the binary can look at, by the scheme of their URL.
SCHEMES = ("redis://", "rediss://", "redis+socket://", "sentinel://")

EAGER = (
    "the Celery application `{}` runs its tasks eagerly (task_always_eager): no message is ever published, "
    "so no hand-off can be seen, whole or broken"
)


def brokers() -> Iterator[Broker]:
    """The brokers that can be looked at."""
    for _, conf in _settings():
        url = conf.get("broker_url")
        if isinstance(url, str) and url.startswith(SCHEMES) and ";" not in url:
            options = conf.get("broker_transport_options") or {}
            yield Broker(url, list(_options(conf, options, url)))


def eager() -> list[str]:
    """What is to be said of applications that publish nothing."""
    return [EAGER.format(name) for name, conf in _settings() if conf.get("task_always_eager")]


def _options(conf: Any, transport: Any, url: str) -> Iterator[str]:
    if transport.get("sep"):
        yield from ("--separator", str(transport["sep"]))
    if transport.get("global_keyprefix"):
        yield from ("--key-prefix", str(transport["global_keyprefix"]))
    if transport.get("priority_steps"):
        yield from ("--priority-steps", ",".join(map(str, transport["priority_steps"])))
    if transport.get("master_name"):
        yield from ("--sentinel-master", str(transport["master_name"]))
    backend = conf.get("result_backend")
    # A command line is everybody's to read, so no password goes there.
    if isinstance(backend, str) and backend.startswith(SCHEMES) and backend != url and "@" not in backend:
        yield from ("--result-backend", backend)


def _settings() -> Iterator[tuple[str, Any]]:
    """Each application that somebody made, with its settings."""
    state = sys.modules.get("celery._state")
    if state is None:
        return
    for app in list(state._get_active_apps()):
        # What Celery makes by itself, where there is none, is called `default`.
        if app.main in (None, "default"):
            continue
        try:
            yield str(app.main), app.conf
        except Exception:  # Its settings cannot be read: it says so where it is used.
            continue
