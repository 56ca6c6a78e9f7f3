"""Where the binary `tracelink` of this package lies."""

from __future__ import annotations

import os

# As `typing` has it, without the time that its import takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "tracelink"


def find() -> str:
    """Return the path of the binary that was installed with this package.

    Raises FileNotFoundError, with the remedy, where an installation lacks it.
    """
    folders = []
    for folder in _folders():
        path = os.path.join(folder, NAME)
        if _is_executable(path):
            return path
        folders.append(folder)
    raise FileNotFoundError(
        f"the binary `{NAME}` is not in {' or '.join(map(printable, folders))}: "
        "python -m pip install --force-reinstall --no-deps tracelink-cli"
    )


def found_instead(binary: str) -> str | None:
    """Return what a shell starts as `tracelink` where that is not our binary.

    Nothing on the path is no conflict, and neither is a link to the binary.
    """
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or os.curdir, NAME)
        if _is_executable(path):
            return None if os.path.samefile(path, binary) else path
    return None


def printable(path: str) -> str:
    """Return a path as a terminal may show it."""
    return path if path.isprintable() else repr(path)


def _folders() -> Iterator[str]:
    packages = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    # PREFIX/lib/pythonX.Y/site-packages of an environment, of a user, of a system.
    yield os.path.normpath(os.path.join(packages, "..", "..", "..", "bin"))
    # `pip install --target`
    yield os.path.join(packages, "bin")
    # Sources on PYTHONPATH, and layouts of distributors. Imported last: it is slow.
    import sysconfig

    yield sysconfig.get_path("scripts")


def _is_executable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)
