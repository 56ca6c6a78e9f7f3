"""Builds the wheel, and with --sdist the source distribution, into a folder.

    python3 python/build.py                   # as it is published
    python3 python/build.py --profile dev     # quickly, to try it

maturin comes from PyPI, into an environment in `target/python/`, once. Cargo's
intermediate files are shared with `cargo build`; the binary that `cargo build` made
stays as it is, because tests may be running it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "python" / "requirements-build.txt"
TARGET = ROOT / "target"


def maturin() -> Path:
    """Return the path of maturin, in an environment that is made where it is missing."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    home = TARGET / "python" / f"build-{digest}"
    complete = home / "complete"
    if not complete.is_file():
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)
        complete.touch()
    return home / "bin" / "maturin"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--profile", default="release", help="a profile of Cargo's (release)")
    options.add_argument("--sdist", action="store_true", help="the source distribution too")
    options.add_argument("--out", type=Path, default=TARGET / "wheel" / "dist", help="the folder (target/wheel/dist)")
    asked = options.parse_args()
    tool = maturin()
    cargo = {"CARGO_BUILD_BUILD_DIR": str(TARGET), "CARGO_TARGET_DIR": str(TARGET / "wheel" / "cargo")}
    out = asked.out.resolve()
    build: list[str | Path] = [tool, "build", "--locked", "--profile", asked.profile, "--out", out]
    subprocess.run(build, cwd=ROOT, env=os.environ | cargo, check=True)
    if asked.sdist:
        subprocess.run([tool, "sdist", "--out", out], cwd=ROOT, env=os.environ | cargo, check=True)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"build.py: {error}")
