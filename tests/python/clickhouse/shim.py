"""ClickHouse's HTTP interface over ClickHouse's own engine in this process (PyPI `chdb-core`).

`shim.py [--user NAME --password WORD] [LAYOUT DATABASE FILE…]` prints its URL, and ends with its
standard input. Files are OTLP/JSON, a request a line; LAYOUT is one of `tables.LAYOUTS`. A
program that runs can load more, which no ClickHouse has:

    POST /load?layout=map&database=otel[&ending_at=UNIX_SECONDS]     the lines as the body
    POST /fill?layout=map&database=otel&spans=N[&hours=24]           made by the engine (`fill.py`)

What it does as a server does (https://clickhouse.com/docs/interfaces/http): the query in the URL,
the body, or half in each; `database`, `default_format`, `query_id`, `param_…`, and any setting as
a parameter of the URL or, for the first three, a header; `readonly` and limits, which the engine
keeps itself; GET reads only; users by Basic, by headers or by parameters; `Code: N. DB::Exception`
with its status and header; an exception in the middle of an answer; answers in chunks as they
come; a query whose client is gone is cancelled. What it does not: TLS, compression, sessions,
progress in headers, rights, more than one server.
"""

import argparse
import base64
import contextlib
import hmac
import json
import re
import shutil
import signal
import sys
import tempfile
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import fill
import rows
import tables
from chdb import ChdbError, state

# `src/Server/HTTP/exceptionCodeToHTTPStatus.cpp`; any other is 500.
STATUSES = {
    400: {6, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 72, 117},
    401: {194},
    403: {192, 193, 497, 516},
    404: {46, 47, 60, 81, 115},
    408: {159},
    413: {77},
    501: {48},
    503: {209},
}
# Parameters of the URL that are no settings.
OWN = {"query", "database", "default_format", "query_id", "user", "password", "quota_key", "wait_end_of_query"}
# What the engine says of a statement whose answer it cannot give in pieces.
NOT_IN_PIECES = "Streaming query is not supported"


class Refused(Exception):
    """An exception of the server: its code and what it says."""

    def __init__(self, code, says):
        super().__init__(code, says)
        self.code, self.says = code, says

    @classmethod
    def of(cls, error):
        found = re.search(r"Code: (\d+)\. DB::Exception: (.*)", str(error), re.DOTALL)
        return cls(int(found[1]), found[2].strip()) if found else cls(1002, str(error))

    def body(self, version):
        return f"Code: {self.code}. DB::Exception: {self.says} (version {version} (official build))\n".encode()


class Store:
    """The engine, with its data in a folder of its own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="clickhouse-shim-")
        self.first = state.connect(self.folder)
        self.version = str(self.first.query("SELECT version()", "TabSeparated")).strip()

    @contextlib.contextmanager
    def connection(self, database="default"):
        """One of its own for each request, so that settings are those of the request."""
        connection = state.connect(self.folder)
        try:
            connection.query("SET session_timezone = 'UTC'")
            if database != "default":
                connection.query(f"USE {name(database)}")
            yield connection
        finally:
            connection.close()

    def prepare(self, layout, database):
        known = str(self.first.query(f"EXISTS DATABASE {name(database)}", "TabSeparated")).strip() == "1"
        if known:
            return
        self.first.query(f"CREATE DATABASE {name(database)}")
        with self.connection(database) as connection:
            for statement in tables.statements(layout, database):
                connection.query(statement)

    def load(self, layout, database, lines, ending_at=None):
        self.prepare(layout, database)
        requests = (json.loads(line) for line in lines if line.strip())
        written = [json.dumps(row) for row in rows.rows(layout, requests, ending_at)]
        table = "signoz_index_v3" if layout == "signoz" else "otel_traces"
        if written:
            with self.connection(database) as connection:
                connection.query(f"INSERT INTO {table} FORMAT JSONEachRow\n" + "\n".join(written))
        return len(written)

    def fill(self, layout, database, spans, hours):
        self.prepare(layout, database)
        with self.connection(database) as connection:
            for statement in fill.statements(layout, spans, hours):
                connection.query(statement)
        return spans

    def close(self):
        self.first.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def name(text):
    return "`" + text.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # As ClickHouse does: an answer in two writes would wait 40 ms for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            self.answer(b"".join(self.chunks()))
        else:
            self.answer(self.rfile.read(int(self.headers.get("content-length", 0))))

    def chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def answer(self, body):
        where = urlsplit(self.path)
        self.asked = dict(parse_qsl(where.query, keep_blank_values=True))
        self.begun = False
        try:
            if where.path in ("/ping", "/") and not self.asked.get("query") and not body:
                self.plain(200, b"Ok.\n")
            elif where.path == "/load":
                ending_at = self.asked.get("ending_at")
                lines = body.decode().splitlines()
                at = int(float(ending_at) * 10**9) if ending_at else None
                loaded = self.server.store.load(self.asked["layout"], self.asked["database"], lines, at)
                self.plain(200, f"{loaded}\n".encode())
            elif where.path == "/fill":
                hours = float(self.asked.get("hours", 24))
                store, layout = self.server.store, self.asked["layout"]
                self.plain(200, f"{store.fill(layout, self.asked['database'], int(self.asked['spans']), hours)}\n".encode())
            elif where.path == "/":
                self.let_in()
                self.query(body)
            else:
                self.plain(404, b"There is no handle " + where.path.encode() + b"\n")
        except (Refused, ChdbError) as error:
            refused = error if isinstance(error, Refused) else Refused.of(error)
            said = refused.body(self.server.store.version)
            if self.begun:
                # The status is sent: the exception stands where rows were to come, and the
                # answer has no end.
                self.piece(b"\n" + said)
                self.close_connection = True
            else:
                status = next((status for status, codes in STATUSES.items() if refused.code in codes), 500)
                self.plain(status, said, {"X-ClickHouse-Exception-Code": str(refused.code)})
        except OSError:
            self.close_connection = True

    def let_in(self):
        """The three ways to say who one is; without any, one is `default`."""
        given = self.headers.get("authorization", "")
        user, password = self.headers.get("x-clickhouse-user"), self.headers.get("x-clickhouse-key", "")
        if given.lower().startswith("basic "):
            try:
                user, _, password = base64.b64decode(given[6:]).decode().partition(":")
            except ValueError:
                raise Refused(516, "Invalid authentication: it is not base64. (AUTHENTICATION_FAILED)") from None
        elif user is None:
            user, password = self.asked.get("user", "default"), self.asked.get("password", "")
        right = hmac.compare_digest(f"{user}:{password}".encode(), self.server.login.encode())
        if not right:
            says = f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            raise Refused(516, f"{says} (AUTHENTICATION_FAILED)")

    def query(self, body):
        query = "\n".join(part for part in (self.asked.get("query", ""), body.decode()) if part)
        database = self.asked.get("database") or self.headers.get("x-clickhouse-database") or "default"
        form = self.asked.get("default_format") or self.headers.get("x-clickhouse-format") or "TabSeparated"
        with self.server.store.connection(database) as connection:
            parameters = {key[6:]: value for key, value in self.asked.items() if key.startswith("param_")}
            settings = {key: value for key, value in self.asked.items() if key not in OWN and not key.startswith("param_")}
            settings |= {"readonly": settings.pop("readonly", "2" if self.command == "GET" else "0")}
            for setting in settings:
                if not re.fullmatch(r"\w+", setting):
                    raise Refused(115, f"Unknown setting '{setting}'. (UNKNOWN_SETTING)")
            # In one statement, so that `readonly` forbids none of the others, as in a server.
            changed = [f"{key} = {literal(value)}" for key, value in settings.items() if (key, value) != ("readonly", "0")]
            if changed:
                connection.query("SET " + ", ".join(changed))
            if not query.strip():
                raise Refused(62, "Empty query. (SYNTAX_ERROR)")
            if self.asked.get("wait_end_of_query") == "1":
                self.whole(connection.query(query, form, params=parameters), form)
            else:
                self.in_pieces(connection, query, form, parameters)

    def in_pieces(self, connection, query, form, parameters):
        try:
            pieces = connection.send_query(query, form, params=parameters)
        except ChdbError as error:
            if NOT_IN_PIECES not in str(error):
                raise
            return self.whole(connection.query(query, form, params=parameters), form)
        try:
            for piece in pieces:
                if content := piece.bytes():
                    self.begin(form)
                    self.piece(content)
            self.begin(form)
            if self.in_chunks:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pieces.cancel()
            raise
        return None

    def whole(self, result, form):
        summary = {"read_rows": str(result.storage_rows_read()), "read_bytes": str(result.storage_bytes_read())}
        self.plain(200, result.bytes(), self.about(form) | {"X-ClickHouse-Summary": json.dumps(summary)})

    def about(self, form):
        return {
            "X-ClickHouse-Server-Display-Name": "shim",
            "X-ClickHouse-Query-Id": self.asked.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Format": form,
            "X-ClickHouse-Timezone": "UTC",
        }

    def begin(self, form):
        if not self.begun:
            self.begun = True
            self.send_response(200)
            more = {"Transfer-Encoding": "chunked"} if self.in_chunks else {}
            for header, value in (self.about(form) | more).items():
                self.send_header(header, value)
            self.end_headers()

    @property
    def in_chunks(self):
        return self.request_version != "HTTP/1.0"

    def piece(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content) if self.in_chunks else content)

    def plain(self, status, body, headers=None):
        self.send_response(status)
        for header, value in (headers or {}).items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--user", default="default")
    parser.add_argument("--password", default="")
    parser.add_argument("load", nargs="*")
    args = parser.parse_args()
    # What is left to do at the end is done then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.login, server.store = f"{args.user}:{args.password}", Store()
    try:
        for layout, database, path in zip(*[iter(args.load)] * 3, strict=True):
            with open(path, encoding="utf-8") as file:
                server.store.load(layout, database, file)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        sys.stdin.read()
    finally:
        server.shutdown()
        server.store.close()


if __name__ == "__main__":
    main()
