"""`python -m tracelink_cli`, and the command `tracelink-cli`: become the binary."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from tracelink_cli.binary import find


def main() -> NoReturn:
    """Replace this process by `tracelink`, so that signals and exit codes are its own."""
    binary = find()
    os.execv(binary, [binary, *sys.argv[1:]])


if __name__ == "__main__":
    main()
