"""Writes the program of an entry of `faults.json`: the healthy one, or a broken one.

    python variant.py SLUG OUT

makes `OUT/<process>/` for each process of the entry: a whole copy of `app/`, with
the changes that the entry names for that process. The README says what a change
is. Nothing that is written knows of a fault.
"""

import ast
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: A line of Python is not longer.
WIDTH = 110


class Refused(Exception):
    """A change that does not change the program."""


def manifest():
    """What `faults.json` holds."""
    return json.loads((HERE / "faults.json").read_text(encoding="utf-8"))


def kit(entry, manifest):
    """What the entry's processes and changes build on."""
    return manifest["zero-code"] if entry.get("zero-code") else manifest


def processes(entry, manifest):
    """The processes of an entry by name; what it says of one replaces that, key by key."""
    found = dict(kit(entry, manifest)["processes"])
    for name, process in entry.get("processes", {}).items():
        known = found.get(name, {})
        env = {**known.get("env", {}), **process.get("env", {})}
        found[name] = {**known, **process, "env": env}
    return found


def changes(entry, manifest):
    """The changes of each process: those of every such program, and the entry's own."""
    found = {name: list(changes) for name, changes in kit(entry, manifest).get("changes", {}).items()}
    for name, own in entry.get("changes", {}).items():
        found.setdefault(name, []).extend(own)
    return found


def write(entry, manifest, out):
    """Writes a copy of the application for each process of the entry."""
    names, changed = processes(entry, manifest), changes(entry, manifest)
    if unknown := changed.keys() - names:
        raise Refused(f"{entry['slug']} changes {', '.join(sorted(unknown))}, which it does not start")
    for name in names:
        folder = out / name
        folder.mkdir(parents=True)
        for file, text in variant(changed.get(name, [])).items():
            (folder / file).write_text(text, encoding="utf-8")


def healthy():
    """The text of each file of the healthy application."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((HERE / "app").glob("*.py"))}


def variant(changes):
    """The text of each file once the changes were made, one after the other."""
    program = healthy()
    for change in changes:
        files = sorted((HERE / "changes" / change).rglob("*.py"))
        if not files:
            raise Refused(f"no change is named {change}")
        own = {Path(name).stem for name in [*program, *(path.name for path in files)]}
        for path in files:
            try:
                make(program, path.name, path.read_text(encoding="utf-8"), own)
            except Refused as reason:
                raise Refused(f"{path.relative_to(HERE)}: {reason}") from None
    return program


def make(program, file, change, own):
    """Makes the change of one file of the program, whose own modules are these."""
    before = program.get(file)
    if not change and before is not None:
        del program[file]
        return
    if ast.get_docstring(ast.parse(change)) is not None:
        after = change
    elif before is None:
        raise Refused("a new file begins with a docstring")
    else:
        after = splice(before, change, own)
    if after == before:
        raise Refused("it changes nothing")
    program[file] = after


class Statement:
    """A statement at module level: its name, and the lines that are its own."""

    def __init__(self, node, lines):
        self.node = node
        self.name = name_of(node)
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
        # Comments right above it are its own; markers are the place's.
        while first > 1 and lines[first - 2].startswith("#") and not is_marker(lines[first - 2]):
            first -= 1
        self.first, self.last = first - 1, node.end_lineno


def is_marker(line):
    return line.lstrip().startswith("# tracelink: ")


def name_of(node):
    """What a statement is known by: what it defines, sets or calls."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.name
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return ast.unparse(node.value.func)
    return None


def is_import(node):
    return isinstance(node, (ast.Import, ast.ImportFrom))


def read(text):
    """The lines of a module, and its statements."""
    lines = text.splitlines()
    return lines, [Statement(node, lines) for node in ast.parse(text).body]


def splice(before, change, own):
    """The text with the statements of the change in place of those of the same names.

    A new statement goes before the replaced one that follows it in the change, or
    after the last. `del NAME` takes a statement or an import out. Imports are
    added, and taken out where nothing needs them any more.
    """
    lines, known = read(before)
    new_lines, statements = read(change)
    places = {}
    for statement in known:
        if statement.name:
            places.setdefault(statement.name, []).append(statement)
    edits, removed = [], set()
    begin, pending, replaced = 0, None, None
    for statement in statements:
        is_code = not is_import(statement.node) and not isinstance(statement.node, ast.Delete)
        if is_code and statement.name not in places:
            pending = statement
            continue
        if is_code:
            replaced = new_lines[begin : statement.last]
            edits.append((only(places, statement.name), replaced))
        elif pending:
            raise Refused(f"nothing says where line {pending.first + 1} goes")
        elif isinstance(statement.node, ast.Delete):
            for target in map(ast.unparse, statement.node.targets):
                if target in places:
                    edits.append((only(places, target), []))
                else:
                    removed.add(target)
        begin, pending = statement.last, None
    if pending and replaced is None:
        raise Refused("it replaces nothing")
    if pending:
        replaced.extend(new_lines[begin : pending.last])
    if not edits and not removed:
        raise Refused("it replaces nothing")
    for old, new in sorted(edits, key=lambda edit: edit[0].first, reverse=True):
        first, last = old.first, old.last
        while new and not new[0].strip():
            new.pop(0)
        if not new:
            # The empty lines before it go with it.
            while first > 0 and not lines[first - 1].strip():
                first -= 1
        lines[first:last] = new
    return with_imports("\n".join(lines) + "\n", before, statements, removed, own)


def only(places, name):
    if len(places[name]) > 1:
        raise Refused(f"{name} is there more than once")
    return places[name][0]


def with_imports(text, before, statements, removed, own):
    """The text with the imports that it needs, in their order."""
    lines, known = read(text)
    block = [statement for statement in known if is_import(statement.node)]
    there = imports(statement.node for statement in block)
    wanted = there | imports(statement.node for statement in statements)
    if missing := removed - {bound(*one) for one in there}:
        raise Refused(f"there is no {', '.join(sorted(missing))} to take out")
    # What the healthy program imported and did not use has its reason.
    unused = used_names(before) - used_names(text)
    kept = {one for one in wanted if bound(*one) not in unused | removed}
    if kept == there:
        return text
    first, last = block[0].first, block[-1].last
    while not kept and last < len(lines) and not lines[last]:
        last += 1
    space = [""] if kept and last < len(lines) and lines[last] else []
    lines[first:last] = import_block(kept, own) + space
    return "\n".join(lines) + "\n"


def imports(nodes):
    """Each import as (module, name, other name)."""
    found = set()
    for node in nodes:
        if is_import(node):
            module = getattr(node, "module", None)
            found.update((module, alias.name, alias.asname) for alias in node.names)
    return found


def bound(module, name, other):
    """The name that an import binds."""
    return other or (name if module else name.partition(".")[0])


def used_names(text):
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def import_block(kept, own):
    """The lines of the imports: the library's, those of packages, the program's own."""

    def spelt(name, other):
        return f"{name} as {other}" if other else name

    def rank(imported):
        # Constants, classes, and then the rest.
        name = imported[0]
        return (not name.isupper(), name[0].islower(), name)

    sections = [[], [], []]
    for module in {one[0] for one in kept}:
        names = sorted(((name, other) for of, name, other in kept if of == module), key=rank)
        for group in [names] if module else [[name] for name in names]:
            root = (module or group[0][0]).partition(".")[0]
            section = 2 if root in own else 0 if root in sys.stdlib_module_names else 1
            listed = ", ".join(spelt(*name) for name in group)
            line = f"from {module} import {listed}" if module else f"import {listed}"
            if len(line) > WIDTH:
                line = f"from {module} import (\n    {listed},\n)".replace(", ", ",\n    ")
            sections[section].append((module is not None, line))
    blocks = ["\n".join(line for _, line in sorted(section)) for section in sections if section]
    return "\n\n".join(blocks).splitlines()


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    slug, out = sys.argv[1], Path(sys.argv[2])
    known = manifest()
    entry = next((entry for entry in known["faults"] if entry["slug"] == slug), None)
    if entry is None:
        raise SystemExit(f"faults.json has no entry {slug!r}")
    try:
        write(entry, known, out)
    except (Refused, FileExistsError) as reason:
        raise SystemExit(str(reason)) from None


if __name__ == "__main__":
    main()
