"""The controller of pytest-xdist: each worker has a receiver, and here is one summary."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from tracelink_cli.testing import settings
from tracelink_cli.testing.program import ProgramError
from tracelink_cli.testing.summary import Part, Summary


class Controller:
    """Gathers what the workers saved, and has it judged as one."""

    def __init__(self, config: pytest.Config) -> None:
        try:
            self._settings = settings.read(config)
        except ProgramError as error:
            raise pytest.UsageError(f"tracelink: {error}") from error
        self._parts: list[Part] = []
        self._summary: Optional[Summary] = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {}).get("tracelink")
        if output is not None:
            self._parts.append(Part.of(output))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._summary = Summary(self._settings.program, self._parts)
        if self._summary.judge() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._summary is not None:
            self._summary.write(terminalreporter)

    def pytest_unconfigure(self) -> None:
        if self._summary is not None:
            self._summary.remove()
