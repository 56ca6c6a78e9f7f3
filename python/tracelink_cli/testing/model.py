"""What a test sees of its traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional


@dataclass(frozen=True)
class Span:
    """A span, as it was exported."""

    trace_id: str
    span_id: str
    parent_id: Optional[str]
    service: str
    name: str
    #: `internal`, `server`, `client`, `producer`, `consumer` or `unspecified`.
    kind: str
    #: Nanoseconds since 1970.
    start: int
    #: Nanoseconds since 1970.
    end: int
    #: `unset`, `ok` or `error`.
    status: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Trace:
    """All spans of one trace id, in the order in which they began."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def services(self) -> frozenset[str]:
        """The services that have a span in it."""
        return frozenset(span.service for span in self.spans)

    @property
    def roots(self) -> tuple[Span, ...]:
        """Its spans without a parent."""
        return tuple(span for span in self.spans if span.parent_id is None)


@dataclass(frozen=True)
class Handoff:
    """The passage of one task from one process to another."""

    task_id: str
    attempt: int
    task: str
    #: By `request`, `inject`, `carry`, `extract` and `export`: `intact`, `broken`,
    #: `not-seen` or `cannot-see`.
    stations: Mapping[str, str]
    #: The slug of what is wrong with it, if anything is.
    finding: Optional[str]
    #: Why it is not called whole, where nothing is wrong that was seen.
    unproven: Optional[str]
    #: Whether it was seen being published: by a span, or as a message.
    published: bool

    @property
    def whole(self) -> bool:
        """Whether both sides were seen and hang together."""
        return self.finding is None and self.unproven is None


@dataclass(frozen=True)
class Finding:
    """What is wrong, and how to mend it."""

    code: str
    slug: str
    #: `error`, `warning` or `note`.
    severity: str
    #: `certain`, `likely` or `possible`.
    confidence: str
    message: str
    #: How often it was seen.
    count: int
    tasks: tuple[str, ...]
    services: tuple[str, ...]
    #: The lines of the best fix, with comments that say where they go.
    fix: tuple[str, ...]
    #: Ways to mend it, the best first, as docs/tracelink-1.schema.json has them.
    fixes: tuple[Mapping[str, Any], ...]


def handoff(read: Mapping[str, Any]) -> Handoff:
    """A hand-off of a report."""
    return Handoff(
        task_id=read["task_id"],
        attempt=read["attempt"],
        task=read["task"],
        stations=dict(read["stations"]),
        finding=read["finding"],
        unproven=read["unproven"],
        published=read.get("producer") is not None or bool(read.get("deliveries")),
    )


def finding(read: Mapping[str, Any]) -> Finding:
    """A finding of a report."""
    return Finding(
        code=read["code"],
        slug=read["slug"],
        severity=read["severity"],
        confidence=read["confidence"],
        message=read["message"],
        count=read["count"],
        tasks=tuple(read["tasks"]),
        services=tuple(read["services"]),
        fix=tuple(read["fix"]),
        fixes=tuple(read["fixes"]),
    )
