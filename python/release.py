"""Builds everything that a release consists of, with its checksums (`docs/release.md`).

    python3 python/release.py                               # all of it, as it is published
    python3 python/release.py --profile dev                 # quickly, to try it
    python3 python/release.py --only archive --binary PATH  # a part, of a binary that is there

It changes nothing but its folder, and publishes nothing.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"
# What `cargo deb` takes from, by the paths of Cargo.toml.
STAGE = TARGET / "release-stage"
PARTS = ["archive", "wheel", "deb", "crate"]
CARGO_DEB = "3.8.0"
# The names under which each shell looks for completions.
COMPLETIONS = {"bash": "tracelink.bash", "zsh": "_tracelink", "fish": "tracelink.fish"}
PAGES = ["LICENSE", "THIRD-PARTY-LICENCES.txt", "README.md", "CHANGELOG.md", "SECURITY.md"]


def run(*command: str | Path, **more: str) -> str:
    """Run a command in the sources, and return what it prints."""
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | more, check=True, text=True, stdout=subprocess.PIPE)
    return ended.stdout


def package() -> dict[str, Any]:
    """Return what Cargo.toml says of the package."""
    with (ROOT / "Cargo.toml").open("rb") as file:
        return tomllib.load(file)["package"]


def version() -> str:
    """Return the version, which must have its section in the changelog."""
    number: str = package()["version"]
    if not re.search(rf"^## \[{re.escape(number)}\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE):
        sys.exit(f"release.py: CHANGELOG.md has no section [{number}]")
    return number


def target() -> str:
    """Return the machine that Cargo builds for, such as `x86_64-unknown-linux-gnu`."""
    lines = run("rustc", "--version", "--verbose").splitlines()
    return next(line.removeprefix("host: ") for line in lines if line.startswith("host: "))


def build(profile: str) -> Path:
    """Build the binary, and return its path."""
    run("cargo", "build", "--locked", "--bin", "tracelink", "--profile", profile)
    return TARGET / ("debug" if profile == "dev" else profile) / "tracelink"


def stage(binary: Path) -> None:
    """Lay out what is installed beside the binary, made by the binary itself."""
    shutil.rmtree(STAGE, ignore_errors=True)
    (STAGE / "completions").mkdir(parents=True)
    shutil.copy2(binary, STAGE / "tracelink")
    for page in PAGES:
        shutil.copy2(ROOT / page, STAGE / page)
    # The book, to which the README leads.
    shutil.copytree(ROOT / "docs", STAGE / "docs")
    for shell, name in COMPLETIONS.items():
        (STAGE / "completions" / name).write_text(run(binary, "completions", shell), "utf-8")
    run(binary, "man", "--dir", STAGE / "man")


def archive(out: Path, number: str) -> Path:
    """Pack what is staged: the same bytes for the same files, whoever packs them, and when."""
    name = f"tracelink-{number}-{target()}"
    path = out / f"{name}.tar.gz"
    # Of the last commit, unless somebody says so.
    date = int(os.environ.get("SOURCE_DATE_EPOCH") or run("git", "log", "-1", "--format=%ct"))

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = date
        entry.mode = 0o755 if entry.isdir() or entry.name.endswith("/tracelink") else 0o644
        return entry

    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, date) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(STAGE, name, filter=plain)
    return path


def wheel(out: Path, profile: str) -> list[Path]:
    """Build the wheel and the source distribution into an empty folder, and take them from there."""
    folder = TARGET / "release-wheel"
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, ROOT / "python" / "build.py", "--profile", profile, "--sdist", "--out", folder)
    return [Path(shutil.copy2(path, out)) for path in sorted(folder.iterdir())]


def deb(out: Path) -> Path:
    """Pack what is staged for Debian, by `[package.metadata.deb]` of Cargo.toml."""
    home = TARGET / "cargo-deb"
    tool = home / "bin" / "cargo-deb"
    if not tool.is_file():
        run("cargo", "install", "--locked", "--root", home, "--version", CARGO_DEB, "cargo-deb")
    printed = run(tool, "deb", "--no-build", "--no-strip", "--output", out)
    return Path(printed.strip().splitlines()[-1])


def crate(out: Path, number: str) -> Path:
    """Pack the crate. `cargo publish` packs it anew, and builds it first."""
    run("cargo", "package", "--locked", "--no-verify", "--allow-dirty", "--quiet")
    return Path(shutil.copy2(TARGET / "package" / f"tracelink-{number}.crate", out))


def checksums(out: Path, made: list[Path]) -> None:
    """Write SHA256SUMS, which `sha256sum --check` reads."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(made)]
    (out / "SHA256SUMS").write_text("".join(lines), "utf-8")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--profile", default="release", help="a profile of Cargo's (release)")
    options.add_argument("--only", action="append", choices=PARTS, help="this part; may be given several times")
    options.add_argument("--binary", type=Path, help="pack this binary, instead of building one")
    options.add_argument("--out", type=Path, default=TARGET / "release-files", help="the folder, emptied first")
    asked = options.parse_args()
    number = version()
    run(sys.executable, ROOT / "python" / "licences.py", "--check")
    out = asked.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    parts = asked.only or PARTS
    made: list[Path] = []
    if "archive" in parts or "deb" in parts:
        stage(asked.binary.resolve() if asked.binary else build(asked.profile))
    if "archive" in parts:
        made.append(archive(out, number))
    if "wheel" in parts:
        made += wheel(out, asked.profile)
    if "deb" in parts:
        made.append(deb(out))
    if "crate" in parts:
        made.append(crate(out, number))
    checksums(out, made)
    for path in made:
        print(path)
    if "repository" not in package():
        print("release.py: note: to try, not to publish: Cargo.toml names no publisher (docs/release.md)", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"release.py: {error}")
