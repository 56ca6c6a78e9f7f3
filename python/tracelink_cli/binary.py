"""Where the binary of this package lies."""

from __future__ import annotations

import os
import sysconfig


def find() -> str:
    """The path of `tracelink` that was installed with this package."""
    return os.path.join(sysconfig.get_path("scripts"), "tracelink")
