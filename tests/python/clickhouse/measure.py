"""How long `tracelink diagnose clickhouse://…` takes, question by question, and how much memory.

    python tests/python/clickhouse/measure.py target/release/tracelink --spans 5000000 --hours 24

fills a table in ClickHouse's own engine (`fill.py`) behind `shim.py`, with spans spread evenly over
the last `--hours`, and asks for `--since` of it, `--runs` times; the engine reads from the system's
cache from the second run on. Of the last run it prints each question with its time, the rows of its
answer, and the CPU that the engine took; and the whole time and the peak memory (`VmHWM`) of
tracelink. Python is that of `tests/python/requirements-clickhouse.txt`. Nothing else should run:
what does is in the load that it prints at the beginning and the end. `--url` measures a ClickHouse
that is there, without the CPU.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
# What `--explain-queries` writes before a question, and behind its answer.
ASKED = re.compile(r"^-- ([a-z][\w -]*)$")
ANSWERED = re.compile(r"^-- ([\d\s  ]+) rows?, (\d+) ms, ")


def cpu(process):
    """Seconds of CPU, of all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(command, server):
    """The questions, the seconds in all, and the peak memory in KiB."""
    begun, questions, what = time.monotonic(), [], None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    used = cpu(server) if server else 0
    for line in process.stderr:
        if found := ASKED.match(line):
            what = found[1]
        elif found := ANSWERED.match(line):
            now = cpu(server) if server else 0
            rows = int(re.sub(r"\D", "", found[1]))
            questions.append((what, int(found[2]), rows, now - used))
            used = now
        elif line.startswith(("error", "tracelink: ")):
            print(line, end="", file=sys.stderr)
    _, status, used_by_it = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return questions, time.monotonic() - begun, used_by_it.ru_maxrss, process.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--layout", default="map")
    parser.add_argument("--spans", type=int, default=5_000_000)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--since", default="1h")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--url")
    args = parser.parse_args()
    shim = None
    if args.url:
        url = args.url
    else:
        command = [sys.executable, HERE / "shim.py"]
        shim = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        at = shim.stdout.readline().strip()
        begun = time.monotonic()
        fill = f"{at}/fill?layout={args.layout}&database=measured&spans={args.spans}&hours={args.hours}"
        urllib.request.urlopen(urllib.request.Request(fill, data=b"")).read()
        print(f"{args.spans} spans over {args.hours} h were made in {time.monotonic() - begun:.0f} s")
        url = at.replace("http", "clickhouse") + "/measured"
    try:
        print("load", *os.getloadavg())
        asked = [args.binary, "diagnose", url, "--since", args.since, "--explain-queries", "--no-config", "--format=json"]
        for _ in range(args.runs):
            questions, took, peak, code = run(asked, shim and shim.pid)
            print(f"{took:.2f} s, {peak / 1024:.1f} MiB, exit code {code}")
        for what, millis, rows, seconds in questions:
            print(json.dumps({"question": what, "ms": millis, "rows": rows, "cpu_s": round(seconds, 2)}))
        print("load", *os.getloadavg())
    finally:
        if shim:
            shim.stdin.close()
            shim.wait()


if __name__ == "__main__":
    main()
