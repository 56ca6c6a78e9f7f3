"""The pytest plugin. It does nothing unless it is asked for.

`--tracelink`, `tracelink = true` in the ini file or the fixture `tracelink` ask for it.
What it does then is in `tracelink_cli.testing`, which is imported only then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tracelink_cli.testing.fixture import Tracelink

#: The name under which the part that works is registered.
AT_WORK = "tracelink-at-work"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tracelink", "distributed traces (tracelink)")
    group.addoption(
        "--tracelink",
        action="store_true",
        dest="tracelink",
        default=None,
        help="receive the spans of the session, and fail where a trace breaks at a hand-off",
    )
    group.addoption(
        "--no-tracelink",
        action="store_false",
        dest="tracelink",
        help="do not, whatever the ini file says; skip tests that use the fixture `tracelink`",
    )
    parser.addini("tracelink", "the same as --tracelink", type="bool", default=False)
    parser.addini("tracelink_fail_on", "the least severity that fails: error, warning, note or never", default="")
    parser.addini("tracelink_settle", "how long nothing may come before what lacks is absent, such as 6s", default="")
    parser.addini(
        "tracelink_broker",
        "the URL of the broker to look at, or `off`; by default that of the Celery application, where it is Redis",
        default="",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Starts before any conftest.py is imported: an exporter reads its endpoint when it is made."""
    options = early_config.known_args_namespace
    is_idle = any(getattr(options, name, False) for name in ("help", "version", "collectonly", "markers"))
    is_distributed = bool(getattr(options, "numprocesses", None) or getattr(options, "tx", None))
    if _is_asked_for(early_config, options) and not is_idle and (_is_worker() or not is_distributed):
        _start(early_config)


def pytest_configure(config: pytest.Config) -> None:
    if not _is_asked_for(config, config.option) or config.pluginmanager.has_plugin(AT_WORK):
        return
    options = config.option
    if any(getattr(options, name, False) for name in ("help", "version", "collectonly", "markers")):
        return
    if getattr(options, "dist", "no") != "no" and not _is_worker():
        from tracelink_cli.testing.controller import Controller

        config.pluginmanager.register(Controller(config), AT_WORK)
    else:
        _start(config)


@pytest.fixture
def tracelink(request: pytest.FixtureRequest) -> Iterator[Tracelink]:
    """The traces of this test: its spans, traces, hand-offs and findings, and assertions about them."""
    if request.config.option.tracelink is False:
        pytest.skip("--no-tracelink")
    at_work = request.config.pluginmanager.get_plugin(AT_WORK)
    if at_work is None:
        at_work = _start(request.config, judges=False)
    yield from at_work.fixture(request.node)


def _is_asked_for(config: pytest.Config, options: Any) -> bool:
    chosen = getattr(options, "tracelink", None)
    return bool(config.getini("tracelink")) if chosen is None else bool(chosen)


def _is_worker() -> bool:
    """Whether pytest-xdist started this process."""
    return "PYTEST_XDIST_WORKER" in os.environ


def _start(config: pytest.Config, judges: bool = True) -> Any:
    from tracelink_cli.testing.session import start

    at_work = start(config, judges)
    config.pluginmanager.register(at_work, AT_WORK)
    return at_work
