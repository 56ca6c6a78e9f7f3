"""Installs what a fix asks for beside the environment: for the processes that it names alone.

    python install.py FOLDER PACKAGE...

FOLDER is made once, and belongs on the PYTHONPATH of those processes. Versions are
those of `requirements.lock` where it names the package; what a package needs
besides is in the environment already.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent / "requirements.lock"


class NotInstalled(Exception):
    """Why a package is not to be had."""


def install(folder, packages, pins=(LOCK,)):
    """Installs them unless they are there; `pins` are the files that name versions."""
    made = folder / "complete"
    if made.exists():
        return
    # An environment made by uv has no pip.
    pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else ["uv", "pip"]
    versions = [f"--constraint={file}" for file in pins]
    get = [*pip, "install", "--quiet", "--no-deps", "--target", folder, *versions, *packages]
    done = subprocess.run(get, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotInstalled(f"could not install {' '.join(packages)}: {done.stderr.strip()}")
    made.touch()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    try:
        install(Path(sys.argv[1]).absolute(), sys.argv[2:])
    except NotInstalled as reason:
        raise SystemExit(str(reason)) from None
