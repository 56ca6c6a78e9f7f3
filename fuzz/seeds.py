"""Writes the first inputs of each target, out of the captures in fixtures, to fuzz/corpus.

    python3 fuzz/seeds.py [FOLDER]

`redaction` has none: its inputs are choices, not evidence.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FUZZ = Path(__file__).resolve().parent
FIXTURES = FUZZ.parent / "fixtures"
# A longer input costs more time than it finds. A bundle has several lines.
LONGEST = {"engine": 8 << 10}
LONGEST_OTHERWISE = 4 << 10
CONTEXTS = {
    "traceparent", "b3", "x-b3-traceid", "uber-trace-id", "ot-tracer-traceid", "x-datadog-trace-id",
    "x-amzn-trace-id", "sentry-trace", "elastic-apm-traceparent", "trace_parent_string", "baggage", "tracestate",
}
# The order of the serializers in src/fuzzing/serializers.rs.
SERIALIZERS = ["application/json", "application/x-yaml", "application/x-msgpack", "application/x-python-serialize"]
REPLIES = [
    b"+OK\r\n", b"-ERR no\r\n", b":7\r\n", b"$-1\r\n", b"*0\r\n", b"_\r\n", b"#t\r\n", b",1.5\r\n", b"(123\r\n",
    b"!5\r\nERR a\r\n", b"=8\r\ntxt:text\r\n", b"~1\r\n:1\r\n", b"%1\r\n+a\r\n:1\r\n", b"|1\r\n+ttl\r\n:9\r\n$1\r\na\r\n",
    b">2\r\n+message\r\n+a\r\n:1\r\n", b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
    b'+1339518083.107412 [0 127.0.0.1:60866] "lpush" "celery" "\\x00\\"a\\""\r\n',
]


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.is_file() else []


def keys(look: Path) -> Iterator[dict[str, Any]]:
    """Yield the keys of a look at a broker."""
    yield from (line for line in map(json.loads, lines(look)[1:]) if "type" in line)


def texts(value: Any) -> Iterator[str]:
    """Yield the values of contexts, wherever they are."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.lower() in CONTEXTS and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def bulk(text: str) -> bytes:
    data = text.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def of_look(look: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a seed for each message and each result of a look, and one for its list."""
    for line in lines(look):
        yield "snapshot", line.encode()
    for key in keys(look):
        entries = key.get("entries")
        if key["type"] == "list":
            entries = [entry for entry in entries if isinstance(entry, str)]
            yield "resp", b"\x07*%d\r\n" % len(entries) + b"".join(map(bulk, entries))
            for entry in entries:
                yield "celery", entry.encode()
                yield from of_message(entry)
        elif key["type"] == "hash" and key["key"].endswith("unacked"):
            yield from (("celery", b"u" + value.encode()) for value in entries.values() if isinstance(value, str))
        elif key["type"] == "string" and isinstance(entries, str):
            yield "celery", b"r" + entries.encode()


def of_message(entry: str) -> Iterator[tuple[str, bytes]]:
    try:
        message = json.loads(entry)
    except ValueError:
        return
    if not isinstance(message, dict):
        return
    yield from (("contexts", text.encode()) for text in texts(message.get("headers")))
    body = message.get("body")
    if message.get("content-type") in SERIALIZERS and isinstance(body, str):
        is_base64 = message["properties"].get("body_encoding") == "base64"
        # As it is, and without a compression.
        choice = bytes([SERIALIZERS.index(message["content-type"]), 0, 0])
        yield "celery", b"b" + choice + (base64.b64decode(body) if is_base64 else body.encode())


def seeds() -> Iterator[tuple[str, bytes]]:
    yield from (("resp", b"\x03" + reply) for reply in REPLIES)
    for case in sorted(path for folder in ("corpus", "field") for path in (FIXTURES / folder).iterdir() if path.is_dir()):
        looks = sorted(case.glob("redis.*.jsonl"))
        for look in looks:
            yield from of_look(look)
        requests = lines(case / "spans.jsonl")
        yield from (("otlp_json", line.encode()) for line in requests)
        for request in sorted(case.glob("*.binpb")):
            yield "otlp_protobuf", request.read_bytes()
        bundle = [line for look in looks for line in lines(look)] + requests
        yield "engine", "\n".join(bundle).encode()


def main(corpus: Path) -> None:
    counts: dict[str, int] = {}
    for target, seed in seeds():
        if len(seed) > LONGEST.get(target, LONGEST_OTHERWISE):
            continue
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / hashlib.sha1(seed).hexdigest()  # the name that libFuzzer gives
        if not path.exists():
            path.write_bytes(seed)
            counts[target] = counts.get(target, 0) + 1
    for target, count in sorted(counts.items()):
        print(f"{target}: {count} seeds")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FUZZ / "corpus")
