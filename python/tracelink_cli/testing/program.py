"""The binary: where it is, and what it says of evidence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from tracelink_cli import binary

#: Exit code of the binary where nothing of what was found is bad enough to fail on.
PASSED = 0
#: Exit code of the binary where a finding is bad enough to fail on.
FAILED = 1
#: How long the binary may take to judge evidence, in seconds.
PATIENCE = 120.0


class ProgramError(Exception):
    """Why the binary could not do what it was asked for."""


def find() -> str:
    """The binary: `TRACELINK_BINARY`, or the one of this package, or the one on PATH."""
    named = os.environ.get("TRACELINK_BINARY")
    if named:
        if shutil.which(named) is None:
            raise ProgramError(f"TRACELINK_BINARY names no program: {named}")
        return named
    try:
        ours: Optional[str] = binary.find()
    except Exception:  # The package lies somewhere without its binary.
        ours = None
    if ours is not None and shutil.which(ours) is not None:
        return ours
    on_path = shutil.which("tracelink")
    if on_path is None:
        raise ProgramError(
            "the binary `tracelink` was not found beside the package or on the PATH: "
            "pip install tracelink-cli, or name it by TRACELINK_BINARY"
        )
    return on_path


class Program:
    """The binary, started in the folder whose `tracelink.toml` holds."""

    def __init__(self, path: str, root: Path, fail_on: Optional[str]) -> None:
        self.path = path
        self.root = root
        self._fail_on = ["--fail-on", fail_on] if fail_on else []

    def report(self, evidence: Sequence[Path], *options: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the report of saved evidence, by `--format json`."""
        code, text = self._diagnose(evidence, "--format", "json", *options)
        report: dict[str, Any] = json.loads(text)
        return code, report

    def human(self, evidence: Sequence[Path], *options: str) -> str:
        """The report of saved evidence as people read it."""
        return self._diagnose(evidence, "--format", "human", "--color", "never", *options)[1]

    def _diagnose(self, evidence: Sequence[Path], *options: str) -> tuple[int, str]:
        command = [self.path, "diagnose", *self._fail_on, *options, "--", *map(str, evidence)]
        try:
            ran = subprocess.run(
                command, cwd=self.root, capture_output=True, encoding="utf-8", errors="replace", timeout=PATIENCE
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ProgramError(f"tracelink could not judge: {error}") from error
        if not ran.stdout:
            raise ProgramError(f"tracelink could not judge: {ran.stderr.strip()}")
        return ran.returncode, ran.stdout
