"""Checks fixes without running them: what is wrong is printed, a line each.

Reads {"fixes": [{"of": …, "fix": {…}}], "binds": {place: [names]}, "hostile": …} from
standard input. A line of code must be code, and use no name that is neither
imported by its step nor bound at its place. What it imports must be there, and come
with Python, with Celery or the SDK, or with what the fix installs on that side.
`hostile` is a text of the evidence that may stand in no line but within a string.
"""

import ast
import builtins
import importlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import symtable
import tempfile
from importlib import metadata
from pathlib import Path

PASTE = Path(__file__).resolve().parents[2] / "src" / "demo" / "python"
sys.path.insert(0, str(PASTE))

from paste import PLACEHOLDER, NotPasteable, variable  # noqa: E402

#: What a side that Celery and OpenTelemetry were seen on has; and one whose context
#: is Elastic's has Elastic's agent.
KNOWN = {"celery", "kombu", "opentelemetry-api", "opentelemetry-sdk", "elastic-apm"}
#: Places within a function.
BODIES = {"publish", "retry", "task", "task-context", "task-span"}


def main():
    asked = json.load(sys.stdin)
    for one in asked["fixes"]:
        for complaint in complaints(one["fix"], asked["binds"], asked.get("hostile")):
            print(f"{one['of']}, {one['fix']['title']}: {complaint}")


def complaints(fix, binds, hostile):
    if not fix["steps"]:
        yield "it has no step"
    for step in fix["steps"]:
        said = " ".join(step["needs"])
        if step["kind"] == "manual":
            if step["lines"] or not said:
                yield "what is done by hand is words alone"
            continue
        if not step["lines"] and not step["installs"]:
            yield f"nothing to paste at {step['place']}"
        for line in step["lines"]:
            if held := PLACEHOLDER.search(line):
                yield f"a placeholder, {held[0]}: {line}"
        if step["kind"] == "code":
            yield from complaints_of_code(step, fix, binds, hostile)
        else:
            yield from complaints_of_words(step, hostile)


def complaints_of_words(step, hostile):
    for line in step["lines"]:
        if hostile and hostile in line:
            yield f"evidence in a line for a shell: {line}"
        try:
            if step["kind"] == "environment":
                variable(line)
            else:
                shlex.split(line)
        except (ValueError, NotPasteable) as error:
            yield f"no shell reads it so: {line} ({error})"


def complaints_of_code(step, fix, binds, hostile):
    if step["language"] == "javascript":
        yield from complaints_of_javascript(step, hostile)
        return
    names = binds[step["place"]]
    text = as_module(step, names)
    try:
        tree = ast.parse(text)
        compile(text, step["place"], "exec")
    except SyntaxError as error:
        yield f"no Python: {error}\n{text}"
        return
    table = symtable.symtable(text, step["place"], "exec")
    bound = {symbol.get_name() for symbol in table.get_symbols() if binds_it(symbol)}
    unknown = sorted(free_names(table) - bound - {*names, *dir(builtins), "__name__", "__file__"})
    if unknown:
        yield f"nothing binds {', '.join(unknown)} at {step['place']}"
    if hostile:
        yield from (f"evidence that is no text: {ast.unparse(node)}" for node in named(tree, hostile))
    installs = {
        canonical(package)
        for other in fix["steps"]
        if other["side"] in (step["side"], "both")
        for package in other["installs"]
    }
    for module, name in imports(tree):
        yield from complaints_of_import(module, name, installs)


def as_module(step, names):
    """The lines as they stand at their place."""
    lines = list(step["lines"])
    if step["place"] == "task-span":
        lines.append("    pass")
    if step["place"] not in BODIES:
        return "\n".join(lines) + "\n"
    return f"def body({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in lines)


def binds_it(symbol):
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def free_names(table):
    """The names that a scope or one in it takes from the module or from Python."""
    at_module = table.get_type() == "module"
    free = {
        symbol.get_name()
        for symbol in table.get_symbols()
        if symbol.is_referenced() and (symbol.is_global() or (at_module and not binds_it(symbol)))
    }
    return free.union(*map(free_names, table.get_children()))


def named(tree, hostile):
    """The nodes that hold the text as anything but a string."""
    for node in ast.walk(tree):
        texts = (value for value in vars(node).values() if isinstance(value, str))
        if not isinstance(node, ast.Constant) and any(hostile in text for text in texts):
            yield node


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)


def complaints_of_import(module, name, installs):
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    try:
        found = importlib.import_module(module)
        if name and not hasattr(found, name):
            found = importlib.import_module(f"{module}.{name}")
    except ImportError as error:
        yield f"{error}: is its package in tests/python/requirements-fixes.txt?"
        return
    # `from opentelemetry import trace` is a package's part of a shared namespace.
    owner = OWNERS.get(f"{module}.{name}") or OWNERS.get(module)
    if owner not in KNOWN and owner not in with_requirements(installs):
        yield f"{module} comes with {owner}, which the fix does not install"


def canonical(name):
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def owners():
    """The distribution that each module comes with."""
    found = {}
    for distribution in metadata.distributions():
        for file in distribution.files or []:
            if file.suffix == ".py":
                module = file.with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")
                found.setdefault(module, canonical(distribution.metadata["Name"]))
    return found


OWNERS = owners()


def with_requirements(packages):
    """The packages, and what is installed with them."""
    known, todo = set(), set(packages)
    while todo:
        known |= todo
        needed = set()
        for package in todo:
            try:
                requirements = metadata.requires(package) or []
            except metadata.PackageNotFoundError:
                raise SystemExit(f"{package} is not in tests/python/requirements-fixes.txt") from None
            needed |= {canonical(one) for one in requirements if "extra ==" not in one}
        todo = {one for one in needed - known if is_there(one)}
    return known


def is_there(package):
    try:
        return bool(metadata.distribution(package))
    except metadata.PackageNotFoundError:
        return False


def complaints_of_javascript(step, hostile):
    text = "\n".join(step["lines"]) + "\n"
    if hostile and hostile in re.sub(r"'[^'\\\n]*'|\"[^\"\\\n]*\"", "''", text):
        yield f"evidence that is no text:\n{text}"
    if step["place"] in BODIES:
        text = f"async function body() {{\n{text}}}\n"
    ending = ".mjs" if re.search(r"^import\b", text, re.MULTILINE) else ".cjs"
    node = shutil.which("node") or sys.exit("node is needed to read JavaScript")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"step{ending}")
        path.write_text(text)
        done = subprocess.run([node, "--check", path], capture_output=True, text=True)
    if done.returncode:
        yield f"no JavaScript: {done.stderr.strip()}"


if __name__ == "__main__":
    main()
