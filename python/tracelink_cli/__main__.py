"""`python -m tracelink_cli`, and the command `tracelink-cli`: become the binary.

Nothing is imported that is not needed: all of it is waited for at each start.
"""

from __future__ import annotations

import os
import sys

from tracelink_cli.binary import find, found_instead, printable

# As `typing` has it, without the time that its import takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# What `tracelink` says itself where a file is missing.
ENVIRONMENT = 4


def main() -> NoReturn:
    """Replace this process by `tracelink`: signals and exit codes are its own."""
    try:
        binary = find()
    except FileNotFoundError as error:
        print(f"tracelink-cli: {error}", file=sys.stderr)
        sys.exit(ENVIRONMENT)
    other = found_instead(binary)
    if other is not None and (_asks_for_version() or _is_read_by_a_person()):
        print(
            f"tracelink-cli: note: a shell finds another `tracelink` first: {printable(other)}\n"
            f"  this one is {printable(binary)}, and `tracelink-cli` starts it",
            file=sys.stderr,
            flush=True,
        )
    os.execv(binary, [binary, *sys.argv[1:]])


def _asks_for_version() -> bool:
    return sys.argv[1:] in (["--version"], ["-V"])


def _is_read_by_a_person() -> bool:
    # A script's standard error stays what tracelink says.
    return sys.stderr is not None and sys.stderr.isatty()


if __name__ == "__main__":
    main()
