"""Writes THIRD-PARTY-LICENCES.txt: whose code the binary contains, under which terms.

    python3 python/licences.py           # after a change of Cargo.lock
    python3 python/licences.py --check   # says whether that is needed

It reads the sources of the crates that Cargo has fetched.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "THIRD-PARTY-LICENCES.txt"
# A wheel is built for these.
SYSTEMS = ["x86_64-unknown-linux-gnu", "aarch64-apple-darwin"]
NAMES = ("licen", "copying", "notice", "unlicense")
INTRO = """\
The binary `tracelink` contains code of the packages below, each under the terms
beside it. The texts follow, each once, with the packages that bring it.
`python3 python/licences.py` writes this file.
"""


def cargo(*args: str) -> str:
    return subprocess.check_output(["cargo", *args, "--locked"], cwd=ROOT, text=True)


def packages() -> dict[str, dict[str, Any]]:
    """Return the packages that are linked on any system, by name and version."""
    linked = set()
    for system in SYSTEMS:
        tree = cargo("tree", "--edges", "normal,no-proc-macro", "--prefix", "none", "--target", system)
        linked |= {tuple(line.split()[:2]) for line in tree.splitlines()}
    known = json.loads(cargo("metadata", "--format-version", "1"))["packages"]
    found = {
        f"{package['name']} {package['version']}": package
        for package in known
        if (package["name"], f"v{package['version']}") in linked and package["source"]
    }
    return dict(sorted(found.items()))


def texts(package: dict[str, Any]) -> list[str]:
    """Return the licence texts of a package, and of C sources that it brings along.

    Of a choice that has MIT in it, MIT is taken, as for tracelink itself; what C
    sources offer under a GNU licence, they offer under another one too.
    """
    folder = Path(package["manifest_path"]).parent
    paths = sorted(path for path in folder.rglob("*") if is_licence(path))
    mit = [path for path in paths if "mit" in path.name.lower()]
    choices = package["license"].replace("/", " OR ").split(" OR ")
    if mit and "MIT" in (choice.strip() for choice in choices):
        paths = mit + [path for path in paths if path.parent != folder]
    read = (path.read_text("utf-8", "replace") for path in paths)
    trimmed = ("\n".join(line.rstrip() for line in text.strip().splitlines()) for text in read)
    return [text for text in trimmed if "GNU" not in text[:100]]


def is_licence(path: Path) -> bool:
    """Say whether a file is called as a licence is, and is no program."""
    name = path.name.lower()
    return name.startswith(NAMES) and path.suffix not in (".rs", ".c", ".h", ".sh") and path.is_file()


def page() -> str:
    """Return the whole page."""
    brought_by: dict[str, list[str]] = defaultdict(list)
    lines = [INTRO]
    for name, package in packages().items():
        own = texts(package)
        note = "" if own else " (its package brings no text)"
        lines.append(f"{name}: {package['license']}{note}")
        for text in dict.fromkeys(own):
            brought_by[text].append(name)
    for text, names in brought_by.items():
        lines.append(f"\n{'=' * 80}\n{', '.join(names)}\n{'=' * 80}\n\n{text}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        if PAGE.read_text("utf-8") != page():
            sys.exit(f"{PAGE.name} is stale: python3 python/licences.py")
    else:
        PAGE.write_text(page(), "utf-8")
