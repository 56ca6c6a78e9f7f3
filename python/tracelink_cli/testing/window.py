"""The time of a test."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Optional


class Begun(NamedTuple):
    """A test, and when it began, in nanoseconds since 1970."""

    at: int
    test: str


@dataclass(frozen=True)
class Window:
    """The time of a test, in nanoseconds since 1970: until the next one begins."""

    begin: int
    end: Optional[int] = None

    def holds(self, moment: int) -> bool:
        """Whether a moment is in it."""
        return self.begin <= moment and (self.end is None or moment < self.end)


def owner_of(begun: Sequence[Begun], moment: int) -> Optional[str]:
    """The test in whose time a moment is; None before the first."""
    number = bisect_right([test.at for test in begun], moment)
    return begun[number - 1].test if number else None
