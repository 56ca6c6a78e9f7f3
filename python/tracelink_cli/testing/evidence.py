"""Which part of the saved evidence belongs to which test.

Only this is decided here, never what is wrong. What hangs together by a trace id, a
task id or a link is one group, and belongs to the test in whose time its first span
began, or its first message was seen: a span that comes late, or a task that runs late, stays with the test that
caused it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from tracelink_cli.testing import saved_spans
from tracelink_cli.testing.broker_looks import BrokerLooks
from tracelink_cli.testing.model import Span, Trace
from tracelink_cli.testing.window import Window


class _Line(NamedTuple):
    file: Path
    offset: int
    traces: frozenset[str]


class Evidence:
    """What the binary saved in some bundles, read as it grows."""

    def __init__(self, bundles: Sequence[Path], shares_broker: bool = False) -> None:
        self.bundles = list(bundles)
        # With other sessions: a message that no span here names may be theirs.
        self._shares_broker = shares_broker
        self._read: dict[Path, int] = {}
        self._lines: list[_Line] = []
        self._groups = _Groups()
        self._tasks: set[str] = set()
        self._looks: dict[Path, BrokerLooks] = {}

    def refresh(self) -> bool:
        """Reads what came since; whether anything did, or a broker holds something else."""
        came = False
        for bundle in self.bundles:
            came = self._looks.setdefault(bundle, BrokerLooks(bundle)).refresh() or came
            file = bundle / "spans.jsonl"
            if not file.exists():
                continue
            with file.open("rb") as lines:
                lines.seek(self._read.get(file, 0))
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    self._index(file, line)
                    came = True
        if came:
            self._note_messages()
        return came

    def _note_messages(self) -> None:
        """A task began when its message was seen: the worker may run it in the time of the next test."""
        for looks in self._looks.values():
            for task in self._tasks:
                seen = looks.first_seen.get(task)
                if seen is not None:
                    self._groups.see(_task(task), seen)

    def _index(self, file: Path, line: bytes) -> None:
        offset = self._read.get(file, 0)
        self._read[file] = offset + len(line)
        traces = set()
        for _, raw in saved_spans.raw_spans(json.loads(line)):
            trace = str(raw["traceId"])
            traces.add(trace)
            self._groups.add(trace, int(raw.get("startTimeUnixNano", 0)))
            for task in saved_spans.task_ids(raw):
                self._tasks.add(task)
                self._groups.join(trace, _task(task))
            for link in raw.get("links", ()):
                self._groups.join(trace, str(link["traceId"]))
        self._lines.append(_Line(file, offset, frozenset(traces)))

    def is_empty(self) -> bool:
        """Whether nothing came, and nothing lay in a broker."""
        return not self._lines and not any(looks.has_messages() for looks in self._looks.values())

    def began(self, *, trace: Optional[str] = None, task: Optional[str] = None) -> Optional[int]:
        """When the first of the group was seen that a trace or a task is in, if anything was."""
        began = self._groups.began(trace if trace is not None else _task(task or ""))
        if began is None and task is not None:
            seen = [looks.first_seen.get(task) for looks in self._looks.values()]
            return min((moment for moment in seen if moment is not None), default=None)
        return began

    def traces(self, window: Window) -> list[Trace]:
        """The traces that belong to a time, in the order in which they began."""
        wanted = self._traces_in(window)
        spans: dict[str, dict[str, Span]] = {}
        for line in self._lines_with(wanted):
            for resource, raw in saved_spans.raw_spans(json.loads(line)):
                if raw["traceId"] in wanted:
                    spans.setdefault(raw["traceId"], {})[raw["spanId"]] = saved_spans.span(resource, raw)
        found = [
            Trace(trace, tuple(sorted(by_id.values(), key=lambda span: span.start))) for trace, by_id in spans.items()
        ]
        return sorted(found, key=lambda trace: trace.spans[0].start)

    def cut_out(self, window: Window, folder: Path) -> list[Path]:
        """Writes what belongs to a time into a folder, for the binary; the files."""
        wanted = self._traces_in(window)
        files = []
        spans = folder / "spans.jsonl"
        with spans.open("wb") as out:
            for line in self._lines_with(wanted):
                out.write(saved_spans.only(line, wanted))
        if spans.stat().st_size:
            files.append(spans)
        keeps = self._keeps(window)
        for number, looks in enumerate(self._looks.values()):
            of_broker = folder / str(number)
            of_broker.mkdir()
            files.extend(looks.cut_out(window.holds, keeps, of_broker))
        return files

    def of_session(self, folder: Path) -> list[Path]:
        """The bundles without what lay in a broker before the session; they are made in a folder."""
        bundles = []
        for number, (bundle, looks) in enumerate(self._looks.items()):
            copy = folder / str(number)
            copy.mkdir(parents=True)
            for file in bundle.iterdir():
                if not file.name.startswith("redis."):
                    (copy / file.name).symlink_to(file)
            looks.cut_out(lambda _: True, lambda _: True, copy)
            bundles.append(copy)
        return bundles

    def _keeps(self, window: Window) -> Callable[[str], bool]:
        if self._shares_broker:
            own = self._groups.tasks(window.holds)
            return lambda text: any(task in text for task in own)
        others = self._groups.tasks(lambda began: not window.holds(began))
        return lambda text: not any(task in text for task in others)

    def _traces_in(self, window: Window) -> frozenset[str]:
        return frozenset(self._groups.traces(window.holds))

    def _lines_with(self, traces: frozenset[str]) -> Iterator[bytes]:
        for line in self._lines:
            if not traces.isdisjoint(line.traces):
                with line.file.open("rb") as file:
                    file.seek(line.offset)
                    yield file.readline()


class _Groups:
    """What hangs together, as a forest: https://en.wikipedia.org/wiki/Disjoint-set_data_structure."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._began: dict[str, int] = {}
        self._has_span: set[str] = set()

    def add(self, trace: str, start: int) -> None:
        self._has_span.add(trace)
        self.see(trace, start)

    def see(self, name: str, moment: int) -> None:
        top = self._top(name)
        self._began[top] = min(moment, self._began.get(top, moment))

    def join(self, one: str, other: str) -> None:
        top, below = self._top(one), self._top(other)
        if top == below:
            return
        self._above[below] = top
        began = self._began.pop(below, None)
        if began is not None:
            self._began[top] = min(began, self._began.get(top, began))

    def began(self, name: str) -> Optional[int]:
        return self._began.get(self._top(name)) if name in self._above else None

    def traces(self, wanted: Callable[[int], bool]) -> Iterator[str]:
        return (name for name in self._has_span if wanted(self._began[self._top(name)]))

    def tasks(self, wanted: Callable[[int], bool]) -> frozenset[str]:
        found = set()
        for name in list(self._above):
            began = self._began.get(self._top(name))
            if name.startswith(_TASK) and began is not None and wanted(began):
                found.add(name[len(_TASK) :])
        return frozenset(found)

    def _top(self, name: str) -> str:
        top = name
        while self._above.setdefault(top, top) != top:
            top = self._above[top]
        while self._above[name] != top:
            self._above[name], name = top, self._above[name]
        return top


_TASK = "task "


def _task(task: str) -> str:
    return _TASK + task
