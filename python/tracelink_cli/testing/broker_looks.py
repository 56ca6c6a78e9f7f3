"""What the binary saved of a broker: looks at it, and what it heard between them.

Nothing is decoded here: a message is a text that names its task's id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

#: A moment as the binary writes it.
MOMENT = re.compile(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.(\d{1,9}))?Z")
#: The id of a task, unless somebody made one up.
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: How long a key still lives, which changes by itself.
PTTL = re.compile(r'"pttl":-?\d+')
#: The kinds of keys that hold messages.
OF_MESSAGES = frozenset({"list", "hash", "zset"})

#: Whether a moment is in the time that is asked for.
Holds = Callable[[int], bool]
#: Whether a message or the name of a result is to be kept.
Keeps = Callable[[str], bool]


class BrokerLooks:
    """The looks of one bundle."""

    def __init__(self, bundle: Path) -> None:
        self._bundle = bundle
        self._count = 0
        self._held = ""
        self._heard = 0
        #: When each id was first seen, in nanoseconds since 1970.
        self.first_seen: dict[str, int] = {}

    def refresh(self) -> bool:
        """Reads what came since; whether the broker holds something else, or something was heard."""
        return any([self._read_looks(), self._read_overheard()])

    def _read_looks(self) -> bool:
        looks, held = self._looks(), self._held
        for look in looks[self._count :]:
            lines = _lines(look)
            if not lines:
                break
            self._count += 1
            self._note(moment(json.loads(lines[0]).get("captured_at")), lines[1:])
            held = PTTL.sub("", "".join(lines[1:]))
        has_changed, self._held = held != self._held, held
        return has_changed

    def _read_overheard(self) -> bool:
        overheard = self._overheard()
        if not overheard.exists():
            return False
        with overheard.open("rb") as file:
            file.seek(self._heard)
            whole = file.read()
        whole = whole[: whole.rfind(b"\n") + 1]
        self._heard += len(whole)
        for line in whole.decode("utf-8").splitlines():
            self._note(moment(json.loads(line).get("at")), [line])
        return bool(whole)

    def _note(self, at: Optional[int], lines: Sequence[str]) -> None:
        if at is not None:
            for line in lines:
                for seen in UUID.findall(line):
                    self.first_seen[seen] = min(at, self.first_seen.get(seen, at))

    def has_messages(self) -> bool:
        """Whether there ever was a message."""
        return any(key.get("type") in OF_MESSAGES for file in self._files() for key in _keys(_lines(file)[1:]))

    def cut_out(self, holds: Holds, keeps: Keeps, folder: Path) -> list[Path]:
        """Writes into a folder what was seen in a time, of what is to be kept; the files.

        What lay in the broker when it was first looked at is nobody's here.
        """
        files: list[Path] = []
        before: set[str] = set()
        for number, look in enumerate(self._looks()):
            lines = _lines(look)
            if number == 0:
                before.update(text for key in _keys(lines[1:]) for text in _texts(key))
            if lines and holds(moment(json.loads(lines[0]).get("captured_at")) or 0):
                kept = (_reduced(key, keeps, before) for key in _keys(lines[1:]))
                files.append(_write(folder / look.name, lines[0], kept))
        overheard = self._overheard()
        # The file is there before its first line is: the binary may be about to write it.
        lines = _lines(overheard) if overheard.exists() else []
        if lines:
            heard = (key for key in _keys(lines[1:]) if holds(moment(key.get("at")) or 0))
            files.append(_write(folder / overheard.name, lines[0], (_reduced(key, keeps, before) for key in heard)))
        return files

    def _looks(self) -> list[Path]:
        return sorted(self._bundle.glob("redis.[0-9]*.jsonl"))

    def _overheard(self) -> Path:
        return self._bundle / "redis.overheard.jsonl"

    def _files(self) -> list[Path]:
        return [file for file in [self._overheard(), *self._looks()] if file.exists()]


def moment(text: Any) -> Optional[int]:
    """A moment that the binary wrote, in nanoseconds since 1970."""
    found = MOMENT.fullmatch(str(text))
    if found is None:
        return None
    seconds = datetime.fromisoformat(found[1]).replace(tzinfo=timezone.utc).timestamp()
    return int(seconds) * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))


def _lines(file: Path) -> list[str]:
    """Its whole lines: the last one may be about to be written."""
    text = file.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def _keys(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        key = json.loads(line)
        if isinstance(key, dict):
            yield key


def _items(entries: Any) -> Sequence[tuple[Any, str]]:
    """The entries of a list, or the pairs of a hash, each with its text."""
    if isinstance(entries, dict):
        return [(pair, json.dumps(pair)) for pair in entries.items()]
    if isinstance(entries, list):
        return [(entry, json.dumps(entry)) for entry in entries]
    return []


def _texts(key: dict[str, Any]) -> Iterator[str]:
    if key.get("type") in OF_MESSAGES:
        yield from (text for _, text in _items(key.get("entries")))


def _reduced(key: dict[str, Any], keeps: Keeps, before: set[str]) -> Optional[dict[str, Any]]:
    """A key with what is to be kept, and was not there before; None where nothing is left."""
    if key.get("type") == "string":
        # A result, under the id of its task.
        return key if keeps(str(key.get("key", ""))) else None
    if key.get("type") not in OF_MESSAGES:
        return key
    items = _items(key.get("entries"))
    kept = [item for item, text in items if text not in before and keeps(text)]
    if len(kept) == len(items):
        return key
    if not kept:
        return None
    left = {**key, "entries": dict(kept) if isinstance(key["entries"], dict) else kept}
    if "len" in left:
        left["len"] = len(kept)
    return left


def _write(file: Path, head: str, keys: Iterable[Optional[dict[str, Any]]]) -> Path:
    kept = (json.dumps(key) for key in keys if key is not None)
    file.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")
    return file
