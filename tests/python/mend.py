"""Proves the fixes by pasting them: broken, pasted, run again, healthy.

    python tests/python/mend.py --tracelink target/debug/tracelink [--jobs 2] [SLUG]...

For each fault of `faults.json`: acts it out, takes the first finding at warning or
above out of the report, and pastes each of its fixes into programs of its own, whole
and alone. What a fix installs is put beside the environment for the processes it
names. The verdict must then be `healthy`, and no task may fail that did not before.

The controls: unmended, the fault is named; it is named too where every marked place
is touched and nothing pasted; and another cause's fix for the same place does not
mend. `mend.json` lists what no paste can mend, what a later alternative mends, what a
run is still said to be once it is mended, and which other fix mends, each with its
reason. `--write` keeps the result in `docs/tried-fixes.json`. `--dozen` proves the
first fix alone, of twelve faults, without the last two controls.
"""

import datetime
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from importlib import metadata
from pathlib import Path

import acting
from acting import HERE, MANIFEST, ROOT, variant
from install import NotInstalled, install
from paste import LANGUAGES, NotPasteable, paste, put

LISTS = json.loads((HERE / "mend.json").read_text())
KEPT = ROOT / "docs" / "tried-fixes.json"
#: What the result depends on.
VERSIONS = ("celery", "opentelemetry-sdk", "opentelemetry-instrumentation-celery")
INSTALLING = threading.Lock()


class Trial:
    """One fault: what its fixes do, and what the controls show."""

    def __init__(self, stage, binary, entry, folder, chosen):
        self.stage, self.binary, self.entry, self.folder = stage, binary, entry, folder
        self.chosen = chosen
        self.slug = entry["slug"]
        sides = {**MANIFEST["sides"], **entry.get("sides", {})}
        self.sides = {name: sides.get(name, []) for name in variant.processes(entry, MANIFEST)}
        self.wrong = []

    def run(self):
        """The result, as it is kept."""
        report, before = self.act("broken")
        finding = next((one for one in report["findings"] if one["severity"] != "note"), None)
        if finding is None or not self.is_named(report):
            raise RuntimeError(f"broken, it is {said(report)}")
        fixes = finding["fixes"] if not self.chosen.dozen else finding["fixes"][:1]
        result = {"fault": self.slug, "code": finding["code"], "fixes": []}
        for number, fix in enumerate(fixes):
            result["fixes"].append(self.try_fix(number, fix, before))
        self.complain_of_first(result["fixes"])
        result["controls"] = {"unmended": "named"}
        if self.chosen.dozen:
            return result
        result["controls"]["touched"] = self.touched()
        if result["fixes"] and result["fixes"][0]["result"] == "mended":
            result["controls"]["another"] = self.another(finding)
        return result

    def try_fix(self, number, fix, before):
        tried = {"title": fix["title"]}
        needs = [need for step in fix["steps"] for need in step["needs"]]
        try:
            report, after = self.act(f"fix-{number + 1}", lambda programs: self.paste(fix, programs))
        except NotPasteable as reason:
            return {**tried, "result": "not pasted", "said": str(reason)}
        except Exception as error:
            report, after, failure = None, Counter(), f"{type(error).__name__}: {error}"
        else:
            failure = None if is_whole(report) else said(report)
            if after["FAILURE"] > before["FAILURE"]:
                failure = "a task fails that did not before"
        if failure is None:
            return {**tried, "result": "mended"}
        if number > 0 and not needs and failure != self.short_of()[0]:
            self.wrong.append(f"its fix {number + 1}, {fix['title']}: {failure}")
        return {**tried, "result": "depends" if needs else "not mended", "said": failure, "needs": needs}

    def short_of(self):
        """What a run is still said to be once it is mended, and why."""
        return LISTS["short of healthy"].get(self.slug, (None, None))

    def complain_of_first(self, tried):
        first = tried[0] if tried else {"result": "not pasted", "said": "it has no fix"}
        by_hand, later = LISTS["by hand"].get(self.slug), LISTS["later"].get(self.slug)
        still, why = self.short_of()
        if first["result"] == "mended":
            if by_hand or later or still:
                self.wrong.append("it is listed as what its first fix does not mend, and is mended")
            return
        if first["result"] == "not pasted" and by_hand:
            first["listed"] = by_hand
        elif later and (self.chosen.dozen or any(fix["result"] == "mended" for fix in tried[1:])):
            first["listed"] = later
        elif still and first["said"] == still:
            first["listed"] = why
        else:
            self.wrong.append(f"its first fix is {first['result']}: {first['said']}")

    def is_named(self, report):
        return report["verdict"]["slug"] in [self.entry["expect"], *self.entry.get("or", [])]

    def touched(self):
        """Every place is touched, and nothing pasted: the fault must still be named."""
        report, _ = self.act("touched", touch)
        if self.is_named(report):
            return "named"
        self.wrong.append(f"with its places touched alone, it is {said(report)}")
        return said(report)

    def another(self, finding):
        """Another cause's fix for the same place must not mend."""
        for other in self.others(finding):
            try:
                report, _ = self.act("another", lambda programs: self.paste(other["fix"], programs))
            except NotPasteable:
                continue
            except NotInstalled:
                raise
            except Exception as error:
                return {"of": other["code"], "result": f"{type(error).__name__}: {error}"}
            listed = LISTS["another"].get(self.slug, {}).get(other["code"])
            if not is_whole(report):
                return {"of": other["code"], "result": said(report)}
            if listed is None:
                self.wrong.append(f"the fix of {other['code']} mends it: {other['fix']['title']}")
            return {"of": other["code"], "result": "mended", "listed": listed}
        return {"of": None, "result": "no other fix goes there"}

    def others(self, finding):
        """The first fixes of other diagnoses that go where this one's goes, the next code first."""
        places = {where(step) for step in finding["fixes"][0]["steps"]}
        own = [(fix["title"], all_lines(fix)) for fix in finding["fixes"]]
        codes = [one["code"] for one in self.chosen.explained]
        begin = codes.index(finding["code"])
        for one in self.chosen.explained[begin + 1 :] + self.chosen.explained[:begin]:
            for fix in one["fixes"][:1]:
                theirs = all_lines(fix)
                # What is, or holds, one of its own is no other.
                is_own = any(
                    fix["title"] == title or theirs <= lines or lines <= theirs for title, lines in own
                )
                if not is_own and places & {where(step) for step in fix["steps"]}:
                    yield {"code": one["code"], "fix": fix}

    def paste(self, fix, programs):
        """What the processes get besides, once the fix is in their files."""
        more = paste(fix, programs, self.sides)
        for process, installs in more["installs"].items():
            for language, packages in installs.items():
                more["environment"].setdefault(process, {}).update(self.install(language, packages))
        return more

    def install(self, language, packages):
        """The variables by which a process finds the packages."""
        if language != "python":
            raise NotPasteable(f"it installs packages of {language}")
        pins = [acting.OLDEST] if self.chosen.oldest else [acting.LOCK, HERE / "requirements-fixes.txt"]
        return {"PYTHONPATH": str(overlay(packages, pins))}

    def act(self, name, change=lambda programs: None):
        """Acts it out with the programs changed; the report, and what became of the tasks."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="tracelink-programs-") as programs:
            variant.write(self.entry, MANIFEST, Path(programs))
            if self.chosen.oldest:
                grow_old(Path(programs))
            more = change(Path(programs))
            run = acting.Run(self.stage, self.entry, folder, Path(programs), more)
            run.act()
        return self.judge(folder), Counter(run.statuses())

    def judge(self, folder):
        """The report on the evidence in the folder."""
        told = [self.binary, "diagnose", folder, "--format", "json"]
        done = subprocess.run(told, capture_output=True, text=True)
        if not done.stdout:
            raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
        (folder / "report.out").write_text(done.stdout)
        return json.loads(done.stdout)


def is_whole(report):
    """Healthy, of something that was handed over."""
    loud = [finding for finding in report["findings"] if finding["severity"] != "note"]
    return report["verdict"]["status"] == "healthy" and not loud and report["inputs"]["handoffs"] > 0


def said(report):
    loud = [finding["slug"] for finding in report["findings"] if finding["severity"] != "note"]
    return f"{report['verdict']['status']}: {', '.join(dict.fromkeys(loud)) or 'nothing is named'}"


def where(step):
    return step["kind"], step["place"]


def all_lines(fix):
    return {line for step in fix["steps"] for line in step["lines"]}


def grow_old(programs):
    """Writes the demo as the oldest versions have it."""
    for path in programs.rglob("*.py"):
        path.write_text(acting.replace_all(path.read_text(), LISTS["oldest"]))


def touch(programs):
    """Puts a comment at each marked place."""
    for files, comment in LANGUAGES.values():
        for path in programs.rglob(files):
            text = path.read_text()
            for marker in set(re.findall(rf"{comment} tracelink: [a-z-]+", text)):
                text = touched_at(text, marker, f"{comment} touched")
            path.write_text(text)


def touched_at(text, marker, line):
    """Behind code the comment goes above, since a pasted line would stand in its place."""
    standing = re.compile(rf"^(\s*)(\S.*{re.escape(marker)})$", re.MULTILINE)
    above = standing.sub(rf"\1{line}\n\1\2", text)
    return above if above != text else put(text, marker, [line])


def overlay(packages, pins):
    """A folder with the packages, made once for each environment, and outside of it."""
    environment = sys.prefix.strip("/").replace("/", "-")
    folder = ROOT / "target" / "fixes" / environment / "+".join(sorted(packages))
    with INSTALLING:
        install(folder, packages, pins)
    return folder


def explained(binary):
    done = subprocess.run([binary, "explain", "--format", "json"], capture_output=True, check=True)
    return json.loads(done.stdout)["diagnoses"]


def chosen_entries(chosen):
    entries = [entry for entry in MANIFEST["faults"] if entry["expect"] and not entry.get("live")]
    if chosen.dozen:
        entries = [entry for entry in entries if entry["slug"] in LISTS["dozen"]]
    return [entry for entry in entries if not chosen.slugs or entry["slug"] in chosen.slugs]


def play(make, stage, entry, chosen, folder):
    began = time.monotonic()
    trial = make(stage, chosen.tracelink, entry, folder / entry["slug"], chosen)
    try:
        result = trial.run()
    except (Exception, SystemExit) as error:
        result = None
        trial.wrong.append(f"{type(error).__name__}: {error}")
    return entry, result, trial.wrong, time.monotonic() - began


def tell(entry, result, wrong, seconds):
    """A row for a fault, with a line for each fix and each control."""
    mark = "WRONG" if wrong else "right"
    print(f"{mark}  {entry['slug']:34} {seconds:5.1f} s  {entry['what']}")
    for number, tried in enumerate(result["fixes"] if result else [], 1):
        because = f": {tried['said']}" if "said" in tried else ""
        print(f"       {number}. {tried['result']}  {tried['title']}{because}")
    another = result["controls"].get("another") if result else None
    if another:
        print(f"       with the fix of {another['of']}: {another['result']}")
    for complaint in wrong:
        print(f"       ✗ {complaint}", flush=True)


def keep(results, order, key="faults"):
    """Keeps what was tried with these versions; what was tried before and not now stays."""
    versions = {"python": sys.version.split()[0], **{name: metadata.version(name) for name in VERSIONS}}
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {"tries": []}
    tries = [one for one in kept["tries"] if one["versions"] != versions]
    now = next((one for one in kept["tries"] if one["versions"] == versions), {})
    tried = {one["fault"]: one for one in [*now.get(key, []), *results]}
    now = {**now, "date": datetime.date.today().isoformat(), "versions": versions}
    now[key] = [tried[slug] for slug in order if slug in tried]
    about = "Written by tests/python/mend.py --write; do not edit."
    text = json.dumps({"about": about, "tries": [*tries, now]}, indent=1, ensure_ascii=False)
    KEPT.write_text(text + "\n")


def command(doc):
    arguments = acting.command(doc)
    arguments.add_argument("--write", action="store_true", help=f"keep the result in {KEPT.name}")
    return arguments


def prove(make, entries, chosen, redis_server):
    """Tries what `make` makes of each entry; the results, and how many are not as they should be."""
    chosen.explained = explained(chosen.tracelink)
    results, failed = [], 0
    with acting.evidence_folder(chosen, entries) as evidence:
        trials = acting.each(
            entries,
            redis_server,
            chosen.jobs,
            lambda stage, entry: play(make, stage, entry, chosen, evidence),
        )
        for played in trials:
            tell(*played)
            failed += bool(played[2])
            results.extend([played[1]] if played[1] else [])
    mended = sum(one["fixes"][:1] and one["fixes"][0]["result"] == "mended" for one in results)
    tried = sum(entry["expect"] is not None for entry in entries)
    print(f"{mended} of {tried} mended by their first fix; {failed} not as they should be")
    return results, failed


def main():
    chosen = command(__doc__).parse_args()
    slugs = [entry["slug"] for entry in MANIFEST["faults"]]
    redis_server = acting.get_ready(chosen, slugs)
    try:
        results, failed = prove(Trial, chosen_entries(chosen), chosen, redis_server)
    except KeyboardInterrupt:
        return 130
    if chosen.write:
        keep(results, slugs)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
