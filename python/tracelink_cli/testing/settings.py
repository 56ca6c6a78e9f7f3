"""What the ini file says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import pytest

from tracelink_cli.testing.program import Program, find

#: What `--settle` is by itself, in seconds.
SETTLE = 6.0
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
SEVERITIES = ("error", "warning", "note", "never")


@dataclass(frozen=True)
class Settings:
    """The options of a session."""

    program: Program
    #: As the binary reads it; empty for its own.
    settle: str
    #: The same in seconds.
    settle_seconds: float
    #: The URL of a broker, `off`, or empty for that of the Celery application.
    broker: str


def read(config: pytest.Config) -> Settings:
    """Reads them, or says what is wrong with them."""
    settle, fail_on = str(config.getini("tracelink_settle")), str(config.getini("tracelink_fail_on"))
    if fail_on and fail_on not in SEVERITIES:
        raise pytest.UsageError(f"tracelink_fail_on: expected one of {', '.join(SEVERITIES)}, not {fail_on!r}")
    program = Program(find(), Path(str(config.rootpath)), fail_on or None)
    broker = str(config.getini("tracelink_broker")) or os.environ.get("TRACELINK_BROKER", "")
    return Settings(program, settle, _seconds(settle), broker)


def _seconds(duration: str) -> float:
    if not duration:
        return SETTLE
    for unit, factor in UNITS.items():
        number = _number(duration[: -len(unit)]) if duration.endswith(unit) else None
        if number is not None:
            return number * factor
    raise pytest.UsageError(f"tracelink_settle: expected a time such as 6s or 500ms, not {duration!r}")


def _number(text: str) -> Optional[float]:
    return float(text) if text.replace(".", "", 1).isdigit() else None
