"""What is said of a whole session, and of which test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from tracelink_cli.testing.evidence import Evidence
from tracelink_cli.testing.program import FAILED, PASSED, Program, ProgramError
from tracelink_cli.testing.window import Begun, owner_of

#: How many tests are named of one finding.
NAMED = 20


@dataclass(frozen=True)
class Part:
    """What one process saw: the run, or a worker of it."""

    bundles: list[str]
    begun: list[Begun]
    notes: list[str]
    folder: str

    def plain(self) -> dict[str, Any]:
        """As lists and texts, for another process."""
        begun = [list(each) for each in self.begun]
        return {"bundles": self.bundles, "begun": begun, "notes": self.notes, "folder": self.folder}

    @staticmethod
    def of(plain: Mapping[str, Any]) -> Part:
        """What `plain` gave."""
        begun = [Begun(int(at), str(test)) for at, test in plain["begun"]]
        return Part(list(plain["bundles"]), begun, list(plain["notes"]), str(plain["folder"]))


class Summary:
    """The binary's report of all that was saved, and the tests that caused it."""

    def __init__(self, program: Program, parts: Sequence[Part]) -> None:
        self._program = program
        self._parts = [part for part in parts if all(Path(bundle).is_dir() for bundle in part.bundles)]
        self._out_of_reach = len(parts) - len(self._parts)
        self._evidence = [Evidence([Path(bundle) for bundle in part.bundles]) for part in self._parts]
        self._human = ""
        self._lines: list[str] = []
        self._is_broken = False

    def judge(self) -> bool:
        """Has everything judged; whether it fails the run."""
        for evidence in self._evidence:
            evidence.refresh()
        if all(evidence.is_empty() for evidence in self._evidence):
            self._lines.append("no span came: nothing was judged")
            return False
        folder = Path(self._parts[0].folder) / "judged"
        bundles = []
        for number, evidence in enumerate(self._evidence):
            bundles.extend(evidence.of_session(folder / str(number)))
        try:
            code, report = self._program.report(bundles)
            self._human = self._program.human(bundles, *([] if code == FAILED else ["--quiet"]))
        except ProgramError as error:
            self._lines.append(str(error))
            self._is_broken = True
            return True
        self._is_broken = code not in (PASSED, 3)
        self._lines.extend(self._attributed(report))
        return self._is_broken

    def write(self, terminal: Any) -> None:
        """Writes it below the tests."""
        terminal.section("tracelink", **({"red": True} if self._is_broken else {}))
        for line in [*self._human.rstrip().splitlines(), *self._lines]:
            terminal.write_line(line)
        for note in sorted({note for part in self._parts for note in part.notes}):
            terminal.write_line(f"note: {note}")
        if self._out_of_reach:
            terminal.write_line(f"note: {self._out_of_reach} workers ran elsewhere: what they saw is not judged")

    def remove(self) -> None:
        """Removes what was saved."""
        for part in self._parts:
            shutil.rmtree(part.folder, ignore_errors=True)

    def _attributed(self, report: Mapping[str, Any]) -> Iterator[str]:
        tests: dict[str, dict[str, int]] = {}
        for slug, test in self._broken(report):
            of_slug = tests.setdefault(slug, {})
            of_slug[test or "outside of any test"] = of_slug.get(test or "outside of any test", 0) + 1
        for found in report["findings"]:
            for test, count in list(tests.get(found["slug"], {}).items())[:NAMED]:
                times = f" ({count} times)" if count > 1 else ""
                yield f"{found['severity']}[{found['code']}] {found['slug']}: {test}{times}"

    def _broken(self, report: Mapping[str, Any]) -> Iterator[tuple[str, Optional[str]]]:
        """Each broken hand-off with the test in whose time it began."""
        told = set()
        for handoff in report["handoffs"]:
            if handoff["finding"] is not None:
                consumers = [tuple(span) for span in handoff.get("consumers", ())]
                told.update(consumers)
                spans = [*consumers, *([handoff["producer"]] if handoff.get("producer") else [])]
                yield handoff["finding"], self._test(handoff["task_id"], [span[0] for span in spans])
        for trace in report["traces"]:
            for span in trace["spans"]:
                if span.get("orphan") and (trace["trace_id"], span["span_id"]) not in told:
                    yield span["orphan"], self._test(None, [trace["trace_id"]])

    def _test(self, task: Optional[str], traces: Sequence[str]) -> Optional[str]:
        for part, evidence in zip(self._parts, self._evidence):
            moments = [evidence.began(trace=trace) for trace in traces]
            if task is not None:
                moments.append(evidence.began(task=task))
            began = [moment for moment in moments if moment is not None]
            if began:
                return owner_of(part.begun, min(began))
        return None
