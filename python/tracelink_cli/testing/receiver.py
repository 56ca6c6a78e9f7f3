"""A receiver: the binary as `tracelink listen`, for as long as a session takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Optional
from urllib.parse import urlsplit

from tracelink_cli.testing.program import Program, ProgramError

#: How long the binary may take to open its port, in seconds.
PATIENCE = 10.0
#: How long a broker may take to be looked at, in seconds: it may not be there.
PATIENCE_FOR_BROKER = 2.0
#: How often the file is looked for that says that the port is open, in seconds.
TICK = 0.005


class Receiver:
    """Receives spans on a free port, or looks at a broker, or both, and saves it.

    It runs over `cat`, which ends when this process does, however that comes about. So
    no receiver outlives its session. It waits for what is open once `cat` has ended.
    """

    def __init__(self, program: Program, folder: Path, settle: str, broker: Optional[Broker] = None) -> None:
        folder.mkdir(parents=True)
        self.bundle = folder / "bundle"
        self._ready = folder / "ready.json"
        self._errors = folder / "errors.txt"
        self._settle = settle
        options = ["--settle", settle] if settle else []
        environment = dict(os.environ)
        environment.pop("TRACELINK_BROKER", None)
        if broker is not None:
            # A URL may hold a password, and a command line is everybody's to read.
            environment["TRACELINK_BROKER"] = broker.url
            options += broker.options
        # The configuration may name ports and a broker, for when it is run by hand.
        command = [program.path, "listen", "--no-config", "--quiet", "--color", "never", "--fail-on", "never"]
        command += ["--ready-file", str(self._ready), "--save", str(self.bundle), "--save-attributes"]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [*command, *options, "--", "cat"],
                cwd=program.root,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # A Ctrl-C is for pytest: the receiver is told by it when to end.
                start_new_session=True,
            )

    def address(self) -> str:
        """Where it takes OTLP, over gRPC and HTTP alike, as `host:port`. Waits until it does."""
        deadline = time.monotonic() + PATIENCE
        while not self._ready.exists():
            if self._process.poll() is not None:
                raise ProgramError(f"tracelink could not listen: {self.errors()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ProgramError(f"tracelink opened no port in {PATIENCE:.0f} s: {self.errors()}")
            time.sleep(TICK)
        address: str = json.loads(self._ready.read_text(encoding="utf-8"))["http"]
        return address

    def wait_for_look(self) -> None:
        """Waits until the broker was looked at once: what lay there then is not the session's."""
        deadline = time.monotonic() + PATIENCE_FOR_BROKER
        while not any(self.bundle.glob("redis.*.jsonl")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise ProgramError(self.errors() or "it did not answer")
            time.sleep(TICK)

    def errors(self) -> str:
        """What it wrote to standard error."""
        return self._errors.read_text(encoding="utf-8", errors="replace").strip()

    def end(self, patience: float) -> None:
        """Ends it once nothing is open any more, or nothing came for the settling time."""
        if self._process.poll() is None:
            # It passes the signal on to `cat`. A child of this process may hold the pipe.
            self._process.send_signal(signal.SIGINT)
            self._close()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends it at once, and loses what it was about to save."""
        self._process.kill()
        self._close()
        self._process.wait()

    def _close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


class Broker:
    """A broker to look at."""

    def __init__(self, url: str, options: Optional[list[str]] = None) -> None:
        self.url = url
        self.options = [*(options or []), *(["--broker-monitor"] if is_of_this_machine(url) else [])]


def is_of_this_machine(url: str) -> bool:
    """Whether a broker runs here, for tests, so that every message of it may be listened to.

    A worker that is quick takes a message between two looks. `MONITOR` slows a broker
    down, which one of this machine can bear.
    """
    return url.startswith("redis+socket://") or urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
