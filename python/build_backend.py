"""The build backend: maturin, told which file is a program.

maturin writes every file of a source distribution with mode 0644, and a wheel takes the
modes over. So the script `tracelink-cli` of a wheel that pip builds from one would not
start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import maturin
from maturin import *  # noqa: F403 (the hooks that need nothing)

SCRIPTS = Path(__file__).resolve().parent / "data" / "scripts"


def build_wheel(*arguments: Any, **options: Any) -> str:
    """Build a wheel (https://peps.python.org/pep-0517/#build-wheel)."""
    make_executable()
    return maturin.build_wheel(*arguments, **options)


def build_editable(*arguments: Any, **options: Any) -> str:
    """Build an editable wheel (https://peps.python.org/pep-0660/#build-editable)."""
    make_executable()
    return maturin.build_editable(*arguments, **options)


def make_executable() -> None:
    """Give the scripts the mode that programs have."""
    for script in SCRIPTS.iterdir():
        script.chmod(0o755)
