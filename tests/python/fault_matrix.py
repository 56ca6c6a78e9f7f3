"""Acts out every fault of the Python demo and checks what tracelink says of it.

    python tests/python/fault_matrix.py --tracelink target/debug/tracelink [SLUG]...

It makes the environment of `requirements.lock` once (in target/python-demo), starts
a redis-server of its own, an OTLP receiver and the processes of `faults.json`,
keeps the evidence as a bundle folder and has `tracelink diagnose` judge it. It
ends with 1 where a row is not right. Everything that it starts it stops.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import acting
from acting import MANIFEST, variant


def judge(binary, entry, folder):
    """What tracelink says, and whether that is what had to be said."""
    done = subprocess.run([binary, "diagnose", folder, "--format", "json"], capture_output=True, text=True)
    if not done.stdout:
        return f"exit {done.returncode}: {done.stderr.strip()}", False
    (folder / "report.out").write_text(done.stdout)
    report = json.loads(done.stdout)
    findings = report["findings"]
    loud = [finding["slug"] for finding in findings if finding["severity"] != "note"]
    notes = {finding["slug"] for finding in findings if finding["severity"] == "note"}
    first = report["verdict"]["slug"]
    wanted = [entry["expect"], *entry.get("or", [])]
    right = first in wanted and set(loud) <= {*wanted, *entry.get("also", [])}
    right = right and set(entry.get("notes", [])) <= notes
    said = ", ".join(dict.fromkeys(loud)) or report["verdict"]["status"]
    return said + (f"  (notes: {', '.join(sorted(notes))})" if notes else ""), right


def play(stage, binary, entry, folder):
    folder.mkdir(parents=True)
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="tracelink-programs-") as programs:
            variant.write(entry, MANIFEST, Path(programs))
            acting.Run(stage, entry, folder, Path(programs)).act()
        said, right = judge(binary, entry, folder)
    except Exception as error:
        said, right = f"{type(error).__name__}: {error}", False
    return entry, said, right, time.monotonic() - began


def main():
    chosen = acting.command(__doc__).parse_args()
    redis_server = acting.get_ready(chosen, [entry["slug"] for entry in MANIFEST["faults"]])
    # Files do not say how long a receiver listened in vain.
    entries = [entry for entry in MANIFEST["faults"] if not entry.get("live")]
    entries = [entry for entry in entries if not chosen.dozen or entry.get("dozen")]
    entries = [entry for entry in entries if not chosen.slugs or entry["slug"] in chosen.slugs]
    try:
        with acting.evidence_folder(chosen, entries) as evidence:

            def played(stage, entry):
                return play(stage, chosen.tracelink, entry, evidence / entry["slug"])

            wrong = report(acting.each(entries, redis_server, chosen.jobs, played))
    except KeyboardInterrupt:
        return 130
    print(f"{len(entries) - wrong} of {len(entries)} right")
    return 1 if wrong else 0


def report(results):
    """Prints a row for each result as it comes; gives how many are wrong."""
    wrong = 0
    for entry, said, right, seconds in results:
        wrong += not right
        expected = " or ".join([entry["expect"] or "healthy", *entry.get("or", [])])
        print(
            f"{'right' if right else 'WRONG'}  {entry['slug']:34} {seconds:5.1f} s  {entry['what']}",
            flush=True,
        )
        print(f"       expected {expected}; said {said}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
