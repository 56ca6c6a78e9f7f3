"""Proves the fixes on programs that are not the demo's: broken, pasted, run again, whole.

    python tests/python/programs.py [--oldest] [PROGRAM | PROGRAM/FAULT]...

Each folder of `programs/` holds a small program as a stranger would write it, and a
`program.json`: its processes, how it is driven, and the faults that such a program
has, as a `.diff` of its text or as its environment. Each is run healthy, then with
each fault, whose fixes are pasted as `mend.py` does it. To be whole takes more than
that tracelink calls it healthy: each run of a task must lie in one trace with what
its publisher did besides publishing.

With `--oldest` the programs run with the oldest versions that tracelink is tried
with. The environments, of Python and of Node, are made where they are not there.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path

import acting
import mend
from acting import HERE, ROOT

PROGRAMS = HERE / "programs"
#: As OTLP numbers the kinds of spans.
PRODUCER, CONSUMER = 4, 5
HEALTHY = {"name": "healthy", "what": "nothing", "expect": None}


class Program:
    """A folder of `programs/`."""

    def __init__(self, folder):
        self.folder, self.name = folder, folder.name
        about = json.loads((folder / "program.json").read_text())
        self.environment, self.processes = about["environment"], about["processes"]
        self.steps, self.faults = about["steps"], about["faults"]
        self.sides = {name: process["sides"] for name, process in self.processes.items()}

    def write(self, fault, out):
        """Writes a copy for each process, and breaks it."""
        besides = shutil.ignore_patterns("program.json", "faults", "node_modules")
        for name in self.processes:
            shutil.copytree(self.folder, out / name, ignore=besides)
            if change := fault.get("change", {}).get(name):
                apply((self.folder / "faults" / change).read_text(), out / name)


def apply(diff, folder):
    """Applies a unified diff. Its hunks are found by their text, which must be there once."""
    for file in re.split(r"^--- .*\n", diff, flags=re.MULTILINE)[1:]:
        head, *hunks = re.split(r"^@@.*\n", file, flags=re.MULTILINE)
        path = folder / head.removeprefix("+++ ").strip()
        text = path.read_text()
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            if text.count(before) != 1:
                raise SystemExit(f"{path.name} holds {text.count(before)} times:\n{before}")
            text = text.replace(before, after)
        path.write_text(text)


class CalledHealthy(Exception):
    """A report that is wrong."""


class Run(acting.Run):
    """One run of a program, into a folder of evidence."""

    def __init__(self, stage, program, fault, folder, programs, more):
        self.stage, self.folder, self.programs = stage, folder, programs
        self.entry = {"steps": program.steps, **fault}
        self.program, self.more = program, more or {"environment": {}, "arguments": {}}
        self.processes = program.processes
        self.running, self.ports, self.looks = {}, {}, 0

    def launch(self, name):
        process = self.processes[name]
        if process.get("http"):
            self.ports.setdefault(name, acting.free_port())
        binaries = Path(sys.executable).parent
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PORT": str(self.ports.get(name, 0)),
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            **self.program.environment,
            **process.get("environment", {}),
            **self.entry.get("environment", {}).get(name, {}),
            **self.more["environment"].get(name, {}),
        }
        if (self.program.folder / "package.json").exists():
            env["NODE_PATH"] = str(node_modules(self.program))
        known = {
            "{redis}": f"redis://127.0.0.1:{self.stage.port}/0",
            "{otlp_http}": f"http://127.0.0.1:{self.stage.receiver.http_port}",
            "{otlp_grpc}": f"http://127.0.0.1:{self.stage.receiver.grpc_port}",
            "{port}": env["PORT"],
            # Where a fix takes the collector to be.
            "http://localhost:4317": f"http://127.0.0.1:{self.stage.receiver.grpc_port}",
            "http://localhost:4318": f"http://127.0.0.1:{self.stage.receiver.http_port}",
        }
        env = {name: acting.replace_all(value, known) for name, value in env.items()}
        command = [*process["command"], *self.more["arguments"].get(name, [])]
        command = [acting.replace_all(word, known) for word in command]
        command[0] = shutil.which(command[0], path=env["PATH"]) or sys.exit(f"{command[0]} is needed")
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                command, cwd=self.programs / name, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def do_request(self, what, step):
        """`METHOD /path`, so many `times`, so many seconds `apart`."""
        method, path = what.split()
        url = f"http://127.0.0.1:{self.ports[step['to']]}{path}"
        for _ in range(step.get("times", 1)):
            time.sleep(step.get("apart", 0))
            urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60).close()

    def do_waiting(self, count, step):
        """Waits until so many messages lie in the queue."""
        acting.wait_until(lambda: self.stage.redis.llen("celery") >= count, step["within"])


class Trial(mend.Trial):
    """One fault of a program: what its fixes do, and what the controls show."""

    def __init__(self, stage, binary, entry, folder, chosen):
        self.stage, self.binary, self.entry, self.folder = stage, binary, entry, folder
        self.chosen, self.slug, self.program = chosen, entry["slug"], entry["program"]
        self.sides, self.wrong = self.program.sides, []

    def run(self):
        if self.entry["expect"]:
            return self.run_open() if "open" in self.entry else self.run_broken()
        report, _ = self.act("as it stands")
        if not mend.is_whole(report):
            self.wrong.append(f"as it stands, it is {mend.said(report)}")
        return None

    def run_broken(self):
        result = super().run()
        result["controls"].pop("another", None)
        return result

    def run_open(self):
        """What is not yet as it should be is said with its reason, until it is."""
        try:
            self.run_broken()
        except Exception as error:
            self.wrong.append(str(error))
        self.wrong = [] if self.wrong else ["it is listed as open, and all is as it should be"]

    def another(self, _finding):
        """What another cause's fix does at the same place is tried on the demo."""

    def install(self, language, packages):
        if language != "javascript":
            return super().install(language, packages)
        locked = json.loads((self.program.folder / "package-lock.json").read_text())["packages"]
        if others := [package for package in packages if f"node_modules/{package}" not in locked]:
            raise mend.NotPasteable(f"it installs {', '.join(others)}, which is not locked")
        return {}

    def act(self, name, change=lambda programs: None):
        """As often as the fault has causes: once one is mended, the next shows."""
        changes, causes = [change], self.entry.get("causes", 1) if name.startswith("fix-") else 1
        while True:
            report, statuses = self.act_once(self.folder / name / str(len(changes)), changes)
            if mend.is_whole(report) or len(changes) == causes:
                return report, statuses
            loud = next(one for one in report["findings"] if one["severity"] != "note")
            changes.append(lambda programs, fix=loud["fixes"][0]: self.paste(fix, programs))

    def act_once(self, folder, changes):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tracelink-programs-") as programs:
            self.program.write(self.entry, Path(programs))
            more = {"environment": {}, "arguments": {}}
            for made in filter(None, [change(Path(programs)) for change in changes]):
                for process, variables in made["environment"].items():
                    more["environment"].setdefault(process, {}).update(variables)
                more["arguments"].update(made["arguments"])
            run = Run(self.stage, self.program, self.entry, folder, Path(programs), more)
            run.act()
        report = self.judge(folder)
        alone, runs = runs_alone(folder / "spans.jsonl")
        if mend.is_whole(report) and (alone or not runs):
            raise CalledHealthy(f"called healthy, and {alone} of {runs} runs lie in a trace of their own")
        return report, Counter(run.statuses())


def runs_alone(path):
    """How many runs of tasks lie in no trace with what their publisher did besides publishing,
    and how many there are."""
    runs, others = [], {}
    for line in path.read_text().splitlines():
        for resource in json.loads(line).get("resourceSpans", []):
            attributes = {one["key"]: one["value"] for one in resource["resource"].get("attributes", [])}
            service = attributes.get("service.name", {}).get("stringValue")
            for span in [span for scope in resource["scopeSpans"] for span in scope["spans"]]:
                if span["kind"] == CONSUMER:
                    runs.append((span["traceId"], service))
                elif span["kind"] != PRODUCER:
                    others.setdefault(span["traceId"], set()).add(service)
    return sum(not others.get(trace, set()) - {service} for trace, service in runs), len(runs)


def node_modules(program):
    """The packages of its `package-lock.json`, installed once in `target/`."""
    home = ROOT / "target" / "programs" / program.name
    locks = ["package.json", "package-lock.json"]
    locked = "".join((program.folder / name).read_text() for name in locks)
    made = home / "complete"
    with mend.INSTALLING:
        if not (made.exists() and made.read_text() == locked):
            print(f"installing the packages of {program.name} in {home}", file=sys.stderr)
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            for name in locks:
                shutil.copyfile(program.folder / name, home / name)
            ci = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
            subprocess.run(ci, cwd=home, check=True)
            made.write_text(locked)
    return home / "node_modules"


def main():
    chosen = mend.command(__doc__).parse_args()
    programs = [Program(path.parent) for path in sorted(PROGRAMS.glob("*/program.json"))]
    entries = [
        {**fault, "program": program, "slug": f"{program.name}/{fault['name']}"}
        for program in programs
        for fault in [HEALTHY, *program.faults]
    ]
    slugs = [entry["slug"] for entry in entries]
    locks = (acting.LOCK, HERE / "requirements-programs.txt")
    known = {*slugs, *(program.name for program in programs)}
    redis_server = acting.get_ready(chosen, known, "python-programs", locks)
    if chosen.slugs:
        wanted = set(chosen.slugs)
        entries = [entry for entry in entries if wanted & {entry["slug"], entry["program"].name}]
    try:
        results, failed = mend.prove(Trial, entries, chosen, redis_server)
    except KeyboardInterrupt:
        return 130
    if chosen.write:
        mend.keep(results, slugs, "programs")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
