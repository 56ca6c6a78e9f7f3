"""The programs that the Python demo's `variant.py` writes hold what its README says.

    python tests/python/variant_test.py
"""

import ast
import re
import sys
import unittest
from functools import cache
from pathlib import Path

APP = Path(__file__).resolve().parent.parent.parent / "src" / "demo" / "python"
sys.path.insert(0, str(APP))

import variant

MANIFEST = variant.manifest()
MARKER = re.compile(r"# tracelink: ([a-z-]+)$")
#: What is bound at a place, as the README says.
BOUND = {
    "after-app": {"app"},
    "provider": {"provider"},
    "exporter": {"exporter"},
    "set-provider": {"provider"},
    "publish": {"headers"},
    "retry": {"headers"},
    "task-context": {"ctx"},
    "task-span": {"ctx", "tracer"},
    "celery-settings": {"app"},
    **dict.fromkeys(["before-app", "propagators", "task", "worker-module"], set()),
}


@cache
def programs():
    """Each program that is written: one whose it is, the changes made, and its files."""
    whose = {}
    for entry in MANIFEST["faults"]:
        changed = variant.changes(entry, MANIFEST)
        for process in variant.processes(entry, MANIFEST):
            whose.setdefault(tuple(changed.get(process, [])), f"{entry['slug']}/{process}")
    return [(name, changes, variant.variant(changes)) for changes, name in whose.items()]


def markers(program):
    """(place, file, line) of each marker."""
    return {
        (found[1], file, number)
        for file, text in program.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := MARKER.search(line))
    }


def places(program):
    return {(place, file) for place, file, _ in markers(program)}


def around(tree, line):
    """The module, and the functions in which the line is."""
    nodes = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]
    return [node for node in nodes if node is tree or node.lineno <= line <= node.end_lineno]


def bound_before(tree, line):
    """The names that are bound where the line is."""
    names = set()
    for scope in around(tree, line):
        for node in ast.walk(scope):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno < line:
                names.add(node.id)
    return names


def statements(text):
    """The text of each statement at module level, by its name."""
    lines, found = variant.read(text)
    return {
        statement.name: lines[statement.first : statement.last]
        for statement in found
        if not variant.is_import(statement.node)
    }


def named(changes):
    """For each file what the changes name, and None for what they replace as a whole."""
    files = {}
    for change in changes:
        for path in (APP / "changes" / change).rglob("*.py"):
            tree = ast.parse(path.read_text())
            if ast.get_docstring(tree) is not None or not tree.body:
                files[path.name] = None
                continue
            names = files.setdefault(path.name, set())
            for node in tree.body:
                targets = node.targets if isinstance(node, ast.Delete) else []
                names.update([variant.name_of(node), *map(ast.unparse, targets)])
    return files


class Programs(unittest.TestCase):
    def test_every_place_is_in_the_healthy_program(self):
        self.assertEqual({place for place, _ in places(variant.healthy())}, set(BOUND))

    def test_a_broken_program_has_the_places_of_the_healthy_one(self):
        healthy = places(variant.healthy())
        for whose, _, program in programs():
            here = {(place, file) for place, file in healthy if file in program}
            self.assertEqual(places(program), here, whose)

    def test_what_a_place_binds_is_bound(self):
        for whose, _, program in programs():
            trees = {file: ast.parse(text) for file, text in program.items()}
            for place, file, line in markers(program):
                missing = BOUND[place] - bound_before(trees[file], line)
                self.assertFalse(missing, f"{whose}: {place} in {file}")

    def test_the_line_of_a_task_s_span_can_be_replaced(self):
        for whose, _, program in programs():
            for place, file, line in markers(program):
                if place == "task-span":
                    opens = [
                        node
                        for node in ast.walk(ast.parse(program[file]))
                        if isinstance(node, ast.With) and node.lineno == line < node.body[0].lineno
                    ]
                    self.assertEqual(len(opens), 1, whose)

    def test_a_change_changes_only_what_it_names(self):
        healthy = variant.healthy()
        for whose, changes, program in programs():
            known = named(changes)
            for file, text in healthy.items():
                if file in known and known[file] is None:
                    continue
                before, after = statements(text), statements(program[file])
                differ = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
                self.assertLessEqual(differ, known.get(file, set()), f"{whose}: {file}")

    def test_nothing_that_is_written_knows_of_a_fault(self):
        for whose, _, program in programs():
            self.assertNotRegex("".join(program.values()), r"(?i)\bfault", whose)

    def test_every_change_belongs_to_an_entry(self):
        used = {
            path for _, changes, _ in programs() for of in changes for path in (APP / "changes" / of).rglob("*.py")
        }
        self.assertEqual(used, set((APP / "changes").rglob("*.py")))

    def test_an_entry_names_the_sides_of_its_processes(self):
        for entry in MANIFEST["faults"]:
            sides = {**MANIFEST["sides"], **entry.get("sides", {})}
            self.assertLessEqual(variant.processes(entry, MANIFEST).keys(), sides.keys(), entry["slug"])


class Splice(unittest.TestCase):
    PROGRAM = "import os\n\n# Why.\na = os.name\n# tracelink: here\n\n\ndef b():\n    return a\n"

    def spliced(self, change):
        program = {"x.py": self.PROGRAM}
        variant.make(program, "x.py", change, {"x"})
        return program["x.py"]

    def test_a_statement_takes_the_place_of_its_name(self):
        after = self.spliced('a = "posix"\n')
        self.assertEqual(after, 'a = "posix"\n# tracelink: here\n\n\ndef b():\n    return a\n')

    def test_new_statements_stand_by_those_that_are_replaced(self):
        after = self.spliced("import sys\n\nc = 1\na = sys.path\nd = 2\n")
        self.assertEqual(after, "import sys\n\nc = 1\na = sys.path\nd = 2\n# tracelink: here\n\n\ndef b():\n    return a\n")

    def test_what_is_deleted_is_gone(self):
        self.assertEqual(self.spliced("del b\n"), "import os\n\n# Why.\na = os.name\n# tracelink: here\n")

    def test_what_changes_nothing_is_refused(self):
        for change in ["c = 1\n", "import os\n", "del c\n", "# Why.\na = os.name\n"]:
            with self.assertRaises(variant.Refused, msg=change):
                self.spliced(change)

    def test_what_has_no_place_is_refused(self):
        with self.assertRaises(variant.Refused):
            self.spliced("c = 1\ndel b\n")
        with self.assertRaises(variant.Refused):
            variant.make({"x.py": self.PROGRAM}, "y.py", "c = 1\n", set())
        with self.assertRaises(variant.Refused):
            variant.variant(["inject/unheard-of"])


if __name__ == "__main__":
    unittest.main()
