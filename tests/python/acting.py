"""Acts entries of the Python demo's `faults.json` out: a Redis and a receiver, and the
processes of one entry after the other. It judges nothing.
"""

import argparse
import contextlib
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
APP = ROOT / "src" / "demo" / "python"
sys.path.insert(0, str(APP))

import variant

MANIFEST = variant.manifest()
LOCK = APP / "requirements.lock"
#: The oldest versions that tracelink is tried with.
OLDEST = HERE / "requirements-oldest.txt"
SAMPLE = {"user_id": "u123", "product_id": "p456", "quantity": 2}
FINAL = {"SUCCESS", "FAILURE", "REVOKED"}


def environment(folder, locks=(LOCK,)):
    """The Python of an environment with what is locked, which is made where it is not there."""
    python = folder / "bin" / "python"
    made = folder / "requirements.lock"
    locked = "".join(lock.read_text() for lock in locks)
    if not (made.exists() and made.read_text() == locked):
        print(f"making the environment in {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        files = [f"--requirement={lock}" for lock in locks]
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *files], check=True)
        made.write_text(locked)
    return python


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true, within, step=0.03):
    """Whether it became true in so many seconds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(step)
    return true()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class Stage:
    """A broker and a receiver, on which one fault after the other is acted out."""

    def __init__(self, binary):
        from otlp_receiver import Receiver
        from redis import Redis

        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="tracelink-matrix-"))
        settings = ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--dir", self.folder]
        self.server = subprocess.Popen(
            [binary, "--port", str(self.port), *settings], stdout=subprocess.DEVNULL
        )
        assert wait_until(lambda: answers(self.port), 10), "redis-server does not answer"
        self.redis = Redis(port=self.port)
        self.receiver = Receiver()

    def close(self):
        self.redis.close()
        self.receiver.stop()
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Run:
    """One fault, acted out as the manifest says, into a folder of evidence.

    `programs` is a folder in which each process has its own copy of the program.
    `more` is what a process gets besides: its environment, and arguments.
    """

    def __init__(self, stage, entry, folder, programs, more=None):
        self.stage, self.entry, self.folder, self.programs = stage, entry, folder, programs
        self.more = more or {"environment": {}, "arguments": {}}
        self.running = {}
        self.ports = {}
        self.looks = 0
        self.processes = variant.processes(entry, MANIFEST)

    def act(self):
        self.stage.redis.flushall()
        self.stage.receiver.forget()
        try:
            for step in self.entry.get("steps", MANIFEST["steps"]):
                verb = next(iter(step))
                getattr(self, f"do_{verb}")(step[verb], step)
        finally:
            for name in reversed(list(self.running)):
                self.do_stop(name, {})
        self.stage.receiver.save(self.folder)

    def launch(self, name):
        process = self.processes[name]
        port = self.ports.setdefault(name, free_port()) if process.get("http") else 0
        env = {
            # What the developer exports is no part of the fault.
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "TRACELINK_DEMO_BROKER": f"redis://127.0.0.1:{self.stage.port}/0",
            "TRACELINK_DEMO_WORK_SCALE": "0.1",
            "TRACELINK_DEMO_OTLP_HTTP": f"http://127.0.0.1:{self.stage.receiver.http_port}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.stage.receiver.grpc_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "UVICORN_HOST": "127.0.0.1",
            "UVICORN_PORT": str(port),
            "UVICORN_LOG_LEVEL": "warning",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        # Where a fix takes the collector to be.
        collector = {
            "http://localhost:4317": env["OTEL_EXPORTER_OTLP_ENDPOINT"],
            "http://localhost:4318": env["TRACELINK_DEMO_OTLP_HTTP"],
        }
        known = {f"{{{name}}}": f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        known["{otlp_http}"] = env["TRACELINK_DEMO_OTLP_HTTP"]
        known["{bin}"] = str(Path(sys.executable).parent)
        chosen = {**self.entry.get("env", {}), **process.get("env", {})}
        env.update({name: replace_all(value, known) for name, value in chosen.items()})
        mended = self.more["environment"].get(name, {})
        env.update({name: replace_all(value, collector) for name, value in mended.items()})
        arguments = [*process["args"], *self.more["arguments"].get(name, [])]
        arguments = [replace_all(argument, known) for argument in arguments]
        log = open(self.folder / f"{name}.log", "ab")
        # A session of its own, so that a worker's children can be ended with it.
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.programs / name,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def do_start(self, name, _step):
        process = self.processes[name]
        self.running[name] = child = self.launch(name)

        def ready():
            answered = (
                answers(self.ports[name])
                if process.get("http")
                else self.stage.redis.exists(process["ready"])
            )
            return answered or child.poll() is not None

        if process.get("http") or "ready" in process:
            if not wait_until(ready, 20) or child.poll() is not None:
                raise RuntimeError(f"{name} did not start: see {name}.log")

    def do_run(self, name, _step):
        child = self.launch(name)
        if child.wait(20) != 0:
            raise RuntimeError(f"{name} ended with {child.returncode}: see {name}.log")

    def do_orders(self, count, step):
        url = f"http://127.0.0.1:{self.ports[step.get('to', 'api')]}/orders"
        order = {**SAMPLE, "quantity": step.get("quantity", SAMPLE["quantity"])}
        for _ in range(count):
            request = urllib.request.Request(
                url, json.dumps(order).encode(), {"content-type": "application/json"}
            )
            try:
                urllib.request.urlopen(request, timeout=60).close()
            except urllib.error.HTTPError as refused:
                if (refused.code, order["quantity"]) != (400, 0):
                    raise

    def do_look(self, stage, _step):
        from broker_snapshot import look

        look(self.stage.redis, self.folder / f"redis.{self.looks}.{stage}.jsonl", stage)
        self.looks += 1

    def do_results(self, count, step):
        wait_until(lambda: self.final_results() >= count or self.ended_early(), step["within"])
        if self.ended_early():
            raise RuntimeError(f"{self.ended_early()} ended by itself: see its log")

    def ended_early(self):
        """The process that is not there any more and should be, if any."""
        for name, child in self.running.items():
            if child.poll() is not None and not self.processes[name].get("may_fail"):
                return name
        return None

    def final_results(self):
        return sum(status in FINAL for status in self.statuses())

    def statuses(self):
        """What became of each task."""
        keys = self.stage.redis.keys("celery-task-meta-*")
        values = self.stage.redis.mget(keys) if keys else []
        return [json.loads(value)["status"] for value in values if value]

    def do_key(self, key, step):
        wait_until(lambda: self.stage.redis.exists(key), step["within"])

    def do_sleep(self, seconds, _step):
        time.sleep(seconds)

    def do_stop(self, name, _step):
        child = self.running.pop(name)
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            print(f"{self.entry['slug']}: {name} did not stop within 10 s", file=sys.stderr)
        end_session(child)

    def do_kill(self, name, _step):
        end_session(self.running.pop(name))


def replace_all(text, pairs):
    for old, new in pairs.items():
        text = text.replace(old, new)
    return text


def end_session(child):
    """Ends a process that we started, with its children."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def each(entries, redis_server, jobs, play):
    """Yields `play(stage, entry)` for each entry as it comes, on so many stages at a time."""
    todo, results = queue.SimpleQueue(), queue.SimpleQueue()
    for entry in entries:
        todo.put(entry)

    def work():
        stage = Stage(redis_server)
        try:
            while True:
                entry = todo.get_nowait()
                results.put(play(stage, entry))
        except queue.Empty:
            pass
        finally:
            stage.close()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    try:
        for _ in entries:
            yield next_result(results, threads)
    finally:
        # Interrupted or not: what was begun ends in order, and nothing new begins.
        with contextlib.suppress(queue.Empty):
            while True:
                todo.get_nowait()
        for thread in threads:
            thread.join()


def next_result(results, threads):
    while True:
        try:
            return results.get(timeout=1)
        except queue.Empty:
            if not any(thread.is_alive() for thread in threads) and results.empty():
                raise SystemExit("the stages ended early") from None


def command(doc):
    """The command line of a program that acts entries out, without its own options."""
    arguments = argparse.ArgumentParser(description=doc.splitlines()[0])
    arguments.add_argument(
        "slugs", nargs="*", metavar="SLUG", help="the faults to act out; all of them by default"
    )
    arguments.add_argument("--dozen", action="store_true", help="only the dozen that CI acts out")
    arguments.add_argument("--tracelink", type=Path, default=ROOT / "target" / "debug" / "tracelink")
    arguments.add_argument("--environment", type=Path, help="where the packages are, or are installed")
    arguments.add_argument(
        "--oldest", action="store_true", help="with the oldest versions that tracelink is tried with"
    )
    arguments.add_argument(
        "--here", action="store_true", help="the interpreter that runs this has the demo's packages"
    )
    arguments.add_argument("--evidence", type=Path, help="keep the evidence in this folder")
    arguments.add_argument("--jobs", metavar="N", type=int, default=1, help="how many stages at a time")
    return arguments


def get_ready(chosen, known, name="python-demo", locks=(LOCK,)):
    """Goes on in the environment of that name, which is made where it is not there; gives its
    redis-server. `known` is what may be chosen."""
    if unknown := set(chosen.slugs) - set(known):
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}")
    if chosen.oldest:
        name, locks = "python-oldest", (OLDEST,)
    folder = (chosen.environment or ROOT / "target" / name).absolute()
    folder = Path(sys.prefix) if chosen.here else folder
    if Path(sys.prefix) != folder:
        python = environment(folder, locks)
        os.execv(python, [python, *sys.argv])
    find = [sys.executable, APP / "redis_server.py", folder / "bin"]
    return subprocess.run(find, capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def evidence_folder(chosen, entries):
    """Where the evidence of each entry goes; emptied before, and kept where that is asked for."""
    folder = chosen.evidence or Path(tempfile.mkdtemp(prefix="tracelink-evidence-"))
    for entry in entries:
        shutil.rmtree(folder / entry["slug"], ignore_errors=True)
    try:
        yield folder
    finally:
        if not chosen.evidence:
            shutil.rmtree(folder, ignore_errors=True)
