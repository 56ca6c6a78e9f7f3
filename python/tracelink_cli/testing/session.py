"""A session with a receiver of its own: a run of pytest, or a worker of pytest-xdist."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from tracelink_cli.testing import celery_apps, settings
from tracelink_cli.testing.evidence import Evidence
from tracelink_cli.testing.fixture import Tracelink
from tracelink_cli.testing.program import ProgramError
from tracelink_cli.testing.receiver import Broker, Receiver
from tracelink_cli.testing.summary import Part, Summary
from tracelink_cli.testing.telemetry import Environment, Telemetry
from tracelink_cli.testing.window import Begun, Window

#: How much longer than the settling time the end of a receiver may take, in seconds.
PATIENCE = 15.0
#: How often it is tried to look at a broker.
TRIES = 5
#: The key under which a worker hands over its part.
OUTPUT = "tracelink"

LATE = (
    "the receiver was started by the fixture: an exporter that was made before, or a process that was started "
    "before, sends its spans elsewhere; --tracelink or `tracelink = true` in the ini file starts it before all"
)


def start(config: pytest.Config, judges: bool) -> Session:
    """Opens the receiver, and points this process and its children to it."""
    try:
        return Session(config, settings.read(config), judges)
    except ProgramError as error:
        raise pytest.UsageError(f"tracelink: {error}") from error


class Session:
    """The receiver, the tests that began while it was there, and what is said at the end."""

    def __init__(self, config: pytest.Config, chosen: settings.Settings, judges: bool) -> None:
        self.settings = chosen
        self._config = config
        self._judges = judges
        self._folder = Path(tempfile.mkdtemp(prefix="tracelink-"))
        self._begun: list[Begun] = []
        self._watchers: dict[str, Receiver] = {}
        self._failures: dict[str, int] = {}
        #: What is to be said of brokers that cannot be looked at, by URL.
        self._unseen: dict[str, str] = {}
        self._notes: list[str] = []
        self._eager = False
        self._summary: Optional[Summary] = None
        try:
            self._receiver = Receiver(chosen.program, self._folder / "receiver", chosen.settle)
            address = self._receiver.address()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self.evidence = Evidence([self._receiver.bundle], shares_broker="PYTEST_XDIST_WORKER" in os.environ)
        self.telemetry = Telemetry(address)
        self._environment = Environment(address)
        if not judges:
            self._notes.append(LATE)

    @property
    def notes(self) -> list[str]:
        """What is to be said beside the report."""
        return [*self.telemetry.said, *self._notes, *self._unseen.values()]

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._begun.append(Begun(time.time_ns(), item.nodeid))
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        # By now the fixtures have made the application, and nothing was published yet.
        self.telemetry.ensure()
        self._note_eager()
        self._look_at_brokers()
        yield
        self._note_eager()

    @property
    def is_eager(self) -> bool:
        """Whether an application publishes nothing."""
        self._note_eager()
        return self._eager

    def _look_at_brokers(self) -> None:
        named = self.settings.broker
        if named == "off":
            return
        for broker in [Broker(named)] if named else celery_apps.brokers():
            # A fixture of a later test may start it.
            if broker.url not in self._watchers and self._failures.get(broker.url, 0) < TRIES:
                self._watch(broker)

    def _watch(self, broker: Broker) -> None:
        failures = self._failures.get(broker.url, 0)
        folder = self._folder / f"broker-{len(self._watchers)}-{failures}"
        watcher = Receiver(self.settings.program, folder, self.settings.settle, broker)
        try:
            watcher.wait_for_look()
        except ProgramError as error:
            watcher.kill()
            self._failures[broker.url] = failures + 1
            self._unseen[broker.url] = f"the broker is not looked at: {error}"
            return
        self._unseen.pop(broker.url, None)
        self._watchers[broker.url] = watcher
        self.evidence.bundles.append(watcher.bundle)

    def _note_eager(self) -> None:
        eager = celery_apps.eager()
        self._eager = bool(eager)
        self._notes.extend(note for note in eager if note not in self._notes)

    def fixture(self, item: pytest.Item) -> Iterator[Tracelink]:
        """What a test sees of itself."""
        if not self._begun or self._begun[-1].test != item.nodeid:
            # It was the fixture that started the session.
            self._begun.append(Begun(time.time_ns(), item.nodeid))
        window = Window(self._begun[-1].at)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield Tracelink(self, window, Path(folder))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.telemetry.flush()
        self.telemetry.end()
        part = Part(self._end_receivers(), self._begun, self.notes, str(self._folder))
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            # The controller has the last word, and removes the folder.
            output[OUTPUT] = part.plain()
            return
        self._summary = Summary(self.settings.program, [part])
        if self._judges and self._summary.judge() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _end_receivers(self) -> list[str]:
        """Ends them; the bundles, where anything came and is to be judged."""
        receivers = [self._receiver, *self._watchers.values()]
        self.evidence.refresh()
        # What was sent a moment ago may not be saved yet.
        is_idle = self.evidence.is_empty() and not self.telemetry.is_used and not self._watchers
        if is_idle or not self._judges:
            for receiver in receivers:
                receiver.kill()
            return []
        for receiver in receivers:
            receiver.end(self.settings.settle_seconds + PATIENCE)
        return [str(bundle) for bundle in self.evidence.bundles]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._summary is not None and (self._judges or self.notes):
            self._summary.write(terminalreporter)

    def pytest_unconfigure(self) -> None:
        self._environment.restore()
        if self._summary is not None:
            self._summary.remove()
        elif getattr(self._config, "workeroutput", None) is not None:
            # The controller has a summary, and removes the folder, if it was asked to judge.
            if not self._judges:
                shutil.rmtree(self._folder, ignore_errors=True)
        else:
            # The session never came to its end.
            for receiver in (self._receiver, *self._watchers.values()):
                receiver.kill()
            shutil.rmtree(self._folder, ignore_errors=True)
