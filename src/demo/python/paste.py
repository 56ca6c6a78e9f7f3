"""Pastes a fix into a program as a person would: each line at its place.

    python paste.py FIX FOLDER PROCESS=SIDES...

FIX is a file, or `-`, with one alternative of a finding: an element of `fixes` in
tracelink's JSON report. FOLDER holds a copy of the program for each PROCESS, in a
folder of that name. SIDES are `producer`, `worker`, `producer,worker`, or nothing. A
step for one side goes into the copies of that side alone.

A place is marked in a copy by a comment, `# tracelink: publish` (`//` in JavaScript).
Where it stands on a line of its own, the lines go below it; where it stands behind
code, the last line goes in place of that code, and the others above it. Imports go
to the top of the file where the place is in a function: there, an import makes a
name local, and what the function did with it before would fail.

What belongs in no file is printed as JSON, by process:

    {"environment": {"api": {"NAME": "value"}}, "arguments": {"worker": ["--pool", "solo"]},
     "installs": {"api": {"python": ["some-package"]}}}

A fix that leaves something to its reader is not pasted at all: that is said, and
the exit code is 1.
"""

import ast
import json
import re
import shlex
import sys
from pathlib import Path

#: By language: the files that hold it, and how a comment begins there.
LANGUAGES = {"python": ("*.py", "#"), "javascript": ("*.js", "//")}
SIDES = {"producer", "worker"}
#: What a reader would have to fill in.
PLACEHOLDER = re.compile(r"…|<[A-Za-z][\w .-]*>")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NotPasteable(Exception):
    """Why nobody can paste it as it stands."""


def paste(fix, folder, sides):
    """Pastes all steps of a fix; gives what belongs in no file.

    `sides` says which sides each process is. Nothing is written unless every step can be pasted.
    """
    besides = {"environment": {}, "arguments": {}, "installs": {}}
    code = {}
    for step in fix["steps"]:
        for line in step["lines"]:
            if held := PLACEHOLDER.search(line):
                raise NotPasteable(f"a line holds the placeholder {held[0]}: {line.strip()}")
        for process in processes_of(step, sides):
            read(step, process, besides, code)
    texts = {}
    for where, lines in code.items():
        put_all(folder, where, lines, texts)
    for path, text in texts.items():
        check(path, text)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return besides


def processes_of(step, sides):
    """The processes that a step is for."""
    wanted = SIDES if step["side"] == "both" else {step["side"]}
    found = [process for process, known in sides.items() if wanted.intersection(known)]
    if not found:
        raise NotPasteable(f"no process of the program is the {step['side']}")
    return found


def read(step, process, besides, code):
    """Notes what one step does to one process."""
    kind, place = step["kind"], step["place"]
    if kind == "manual":
        raise NotPasteable(f"to do by hand: {' '.join(step['needs'])}")
    if kind == "environment":
        besides["environment"].setdefault(process, {}).update(map(variable, step["lines"]))
    elif kind == "command" and place == "worker-command":
        options = [word for line in step["lines"] for word in shlex.split(line)]
        besides["arguments"].setdefault(process, []).extend(options)
    elif kind == "command":
        raise NotPasteable(f"a command for a shell: {' && '.join(step['lines'])}")
    elif kind == "code":
        code.setdefault((process, step["language"], place), []).extend(step["lines"])
    if step["installs"]:
        language = step.get("language", "python")
        packages = besides["installs"].setdefault(process, {}).setdefault(language, [])
        packages.extend(package for package in step["installs"] if package not in packages)


def variable(line):
    """`NAME=value` as a shell reads it."""
    words = shlex.split(line)
    name, _, value = words[0].partition("=") if words else ("", "", "")
    if len(words) != 1 or "=" not in words[0] or not VARIABLE.fullmatch(name):
        raise NotPasteable(f"not one variable: {line}")
    return name, value


def put_all(folder, where, lines, texts):
    """Puts the lines into each file of a process that marks the place."""
    process, language, place = where
    files, comment = LANGUAGES[language]
    is_there = False
    for path in sorted((Path(folder) / process).rglob(files)):
        text = texts.get(path) or path.read_text(encoding="utf-8")
        after = put(text, f"{comment} tracelink: {place}", lines)
        if after is not None:
            is_there, texts[path] = True, after
    if not is_there:
        raise NotPasteable(f"the program of {process} marks no place {place}")


def put(text, marker, lines):
    """The text with the lines at each marker; None where there is no marker."""
    marked = re.compile(rf"(\s*)(\S.*?)??\s*{re.escape(marker)}\s*")
    found = [marked.fullmatch(line) for line in text.splitlines()]
    if not any(found):
        return None
    imports, rest = [], lines
    if marker.startswith("#") and any(one[1] for one in found if one):
        imports, rest = without_imports(lines)
    out = []
    for line, one in zip(text.splitlines(), found):
        if one is None:
            out.append(line)
            continue
        indent, replaced = one[1], one[2]
        if not replaced:
            out.append(line)
        out.extend(indent + pasted if pasted else "" for pasted in rest)
    top = first_import(text) if imports else 0
    return "\n".join([*out[:top], *imports, *out[top:]]) + "\n"


def without_imports(lines):
    """The imports that the lines begin with, and the others."""
    body = "    pass" if lines[-1].endswith(":") else ""
    try:
        statements = ast.parse("\n".join([*lines, body])).body
    except SyntaxError:
        return [], lines
    last = 0
    for statement in statements:
        if not isinstance(statement, (ast.Import, ast.ImportFrom)):
            break
        last = statement.end_lineno
    return lines[:last], lines[last:]


def first_import(text):
    """Above which line a module may import."""
    for statement in ast.parse(text).body:
        is_doc = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_doc and getattr(statement, "module", "") != "__future__":
            return statement.lineno - 1
    return 0


def check(path, text):
    """Python must still be Python."""
    if path.suffix == ".py":
        try:
            compile(text, path.name, "exec")
        except SyntaxError as error:
            raise NotPasteable(f"{path.name} is no Python any more: {error}") from None


def main(fix, folder, *processes):
    sides = {}
    for process in processes:
        name, _, known = process.partition("=")
        sides[name] = {side for side in known.split(",") if side}
        if unknown := sides[name] - SIDES:
            raise SystemExit(f"no side is called {', '.join(sorted(unknown))}")
    text = sys.stdin.read() if fix == "-" else Path(fix).read_text(encoding="utf-8")
    try:
        print(json.dumps(paste(json.loads(text), folder, sides)))
    except NotPasteable as reason:
        raise SystemExit(f"not pasteable: {reason}") from None


if __name__ == "__main__":
    if len(sys.argv) < 4 or not all("=" in process for process in sys.argv[3:]):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
