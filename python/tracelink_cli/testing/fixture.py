"""The fixture `tracelink`: what a test sees of its traces, and what it can demand of them."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Optional

from tracelink_cli.testing import model
from tracelink_cli.testing.window import Window
from tracelink_cli.testing.model import Finding, Handoff, Span, Trace
from tracelink_cli.testing.program import FAILED

if TYPE_CHECKING:
    from tracelink_cli.testing.session import Session

#: How often it is looked whether something came, in seconds.
TICK = 0.02
#: How long the settling time may begin anew before a test gives up, as a factor.
MOST = 10.0


class Tracelink:
    """The traces that began in the time of this test, and what follows from them.

    What is asked for is read anew each time. The assertions wait: until what they demand
    is there, or nothing came for the settling time.
    """

    def __init__(self, session: Session, window: Window, folder: Path) -> None:
        self._session = session
        self._window = window
        self._folder = folder
        self._judged: Optional[tuple[int, int, dict[str, Any]]] = None
        self._came = 0

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The traces that came by now."""
        self._refresh()
        return tuple(self._session.evidence.traces(self._window))

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans that came by now, trace by trace."""
        return tuple(span for trace in self.traces for span in trace.spans)

    @property
    def handoffs(self) -> tuple[Handoff, ...]:
        """The tasks that were handed over, as far as is known by now."""
        return tuple(model.handoff(each) for each in self._report()[1]["handoffs"])

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, as far as is known by now: what did not come yet is missed."""
        return tuple(model.finding(each) for each in self._report()[1]["findings"])

    @property
    def human(self) -> str:
        """The binary's report for people: the trees, the causes and the fixes."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            files = self._session.evidence.cut_out(self._window, Path(folder))
            if not files:
                return "no span came: does the application send its spans to OTEL_EXPORTER_OTLP_ENDPOINT?"
            return self._session.settings.program.human(files).rstrip()

    def wait_for(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Waits until a condition holds, and fails after a time in seconds.

        It is asked each time that something came.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while not condition():
            self._session.telemetry.flush()
            if not self._wait(min(deadline, time.monotonic() + 0.25)) and time.monotonic() >= deadline:
                self._fail(f"the condition does not hold after {timeout:g} s")

    def assert_no_broken_traces(self) -> None:
        """Fails where a hand-off breaks the trace, or where no span came at all."""
        __tracebackhide__ = True
        if not self._settle(self._is_whole):
            code, report = self._report()
            if not report["inputs"]["spans"] and not report["inputs"]["messages"]:
                self._fail("no span came")
            elif code == FAILED:
                self._fail("a trace is broken")

    def assert_handoffs(self, count: int) -> None:
        """Fails unless so many tasks were handed over, each whole."""
        __tracebackhide__ = True

        def handoffs() -> list[Handoff]:
            # A task that runs eagerly is handed over to nobody.
            return [each for each in self.handoffs if each.published or not self._session.is_eager]

        def is_met() -> bool:
            seen = handoffs()
            return len(seen) == count and all(handoff.whole for handoff in seen)

        # What is not to be there is only known to be absent once all is quiet.
        if not self._settle(is_met if count else lambda: False) and not is_met():
            seen = handoffs()
            whole = sum(handoff.whole for handoff in seen)
            noun = "hand-off" if count == 1 else "hand-offs"
            self._fail(f"expected {count} whole {noun}, saw {len(seen)}, {whole} of them whole")

    def assert_one_trace(self, services: Iterable[str] = (), spans: Iterable[str] = ()) -> None:
        """Fails unless all spans are of one trace, with these services and names of spans among them."""
        __tracebackhide__ = True
        services, spans = list(services), list(spans)

        def is_met() -> bool:
            return not self._complaint(services, spans)

        if not self._settle(lambda: is_met() and self._is_whole()) and not is_met():
            self._fail(self._complaint(services, spans))

    def _complaint(self, services: list[str], names: list[str]) -> str:
        traces = self.traces
        if len(traces) != 1:
            return f"expected one trace, saw {len(traces)}" if traces else "expected one trace, and no span came"
        there = {span.name for span in traces[0].spans}
        lacking = [f"no span of the service {each}" for each in services if each not in traces[0].services]
        lacking += [f"no span {each}" for each in names if each not in there]
        return f"the trace has {' and '.join(lacking)}" if lacking else ""

    def _is_whole(self) -> bool:
        report = self._report()[1]
        is_alone = not report["inputs"]["handoffs"] and report["inputs"]["spans"] and self._nothing_left()
        return report["verdict"]["status"] == "healthy" or (bool(is_alone) and not report["findings"])

    def _nothing_left(self) -> bool:
        """Whether nothing can have left this process, of which more would come."""
        kinds = {span.kind for span in self.spans}
        return "celery" not in sys.modules and kinds.isdisjoint({"client", "producer"})

    def _settle(self, is_met: Callable[[], bool]) -> bool:
        """Waits until it is met, or nothing came for the settling time; whether it is met."""
        settle = self._session.settings.settle_seconds
        last = time.monotonic() + settle * MOST
        while True:
            self._session.telemetry.flush()
            if is_met():
                return True
            quiet = min(last, time.monotonic() + settle)
            if not self._wait(quiet):
                return is_met()

    def _wait(self, until: float) -> bool:
        """Waits until something comes; whether it did."""
        while time.monotonic() < until:
            if self._refresh():
                return True
            time.sleep(TICK)
        return False

    def _refresh(self) -> bool:
        came = self._session.evidence.refresh()
        self._came += came
        return came

    def _report(self) -> tuple[int, dict[str, Any]]:
        self._session.telemetry.flush()
        self._refresh()
        if self._judged is None or self._judged[0] != self._came:
            with tempfile.TemporaryDirectory(dir=self._folder) as folder:
                files = self._session.evidence.cut_out(self._window, Path(folder))
                if not files:
                    files = [Path(folder) / "spans.jsonl"]
                    files[0].write_text('{"resourceSpans":[]}\n', encoding="utf-8")
                code, report = self._session.settings.program.report(files, "--expect-handoffs", "0")
            self._judged = self._came, code, report
        return self._judged[1:]

    def _fail(self, what: str) -> NoReturn:
        __tracebackhide__ = True
        notes = "".join(f"\nnote: {note}" for note in self._session.notes)
        raise AssertionError(f"tracelink: {what}\n\n{self.human}{notes}")
