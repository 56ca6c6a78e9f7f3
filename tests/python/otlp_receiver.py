"""A small OTLP receiver for the fault matrix: gRPC and HTTP on two ports.

It keeps what it gets as a bundle: `spans.jsonl` (OTLP/JSON, a request a line)
and `receiver.jsonl` (a line a request, as it ended). It judges nothing.
"""

import base64
import gzip
import json
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

#: How every HTTP/2 connection begins, as an HTTP/1 server reads it.
PREFACE = "PRI * HTTP/2.0"


class Receiver:
    """Listens from its making until `stop`; `requests` and `log` grow meanwhile."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = []
        self.log = []
        self.grpc = grpc.server(futures.ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(self), self.grpc)
        self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        self.grpc.start()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.receiver = self
        self.http_port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.grpc.stop(0).wait()
        self.http.shutdown()
        self.http.server_close()

    def forget(self):
        with self.lock:
            self.requests, self.log = [], []

    def saw(self, outcome, transport, agent, target, peer, request=None):
        with self.lock:
            self.log.append(
                {
                    "t": time.time(),
                    "transport": transport,
                    "peer": peer,
                    "agent": agent,
                    "target": target,
                    "outcome": outcome,
                }
            )
            if request is not None:
                self.requests.append(request)

    def save(self, folder):
        """Writes the bundle's two files."""
        with (
            self.lock,
            open(folder / "spans.jsonl", "w") as spans,
            open(folder / "receiver.jsonl", "w") as log,
        ):
            for request in self.requests:
                spans.write(json.dumps(otlp_json(request)) + "\n")
            for line in self.log:
                log.write(json.dumps(line) + "\n")


def otlp_json(request):
    """Protobuf's JSON with the two things that OTLP does otherwise: ids in hex, enums as numbers."""
    tree = json_format.MessageToDict(request, use_integers_for_enums=True)
    for resource in tree.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                for holder in [span, *span.get("links", [])]:
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in holder:
                            holder[name] = base64.b64decode(holder[name]).hex()
    return tree


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, receiver):
        self.receiver = receiver

    def Export(self, request, call):
        agent = dict(call.invocation_metadata()).get("user-agent", "")
        self.receiver.saw("accepted", "grpc", agent, "", call.peer(), request)
        return trace_service_pb2.ExportTraceServiceResponse()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        """An HTTP/2 preface is a gRPC client at the wrong door."""
        self.raw_requestline = self.rfile.readline(65537)
        if self.raw_requestline.startswith(PREFACE.encode()):
            self.server.receiver.saw("grpc-on-http-port", "http", "", PREFACE, self.client_address[0])
            self.close_connection = True
        elif self.raw_requestline and self.parse_request():
            getattr(self, f"do_{self.command}", self.refuse)()
            self.wfile.flush()
        else:
            self.close_connection = True

    def do_POST(self):
        body = self.read_body()
        if self.path == "/":
            return self.refuse("without-path")
        if self.path in ("/v1/metrics", "/v1/logs"):
            return self.answer(200, b"")
        if self.path != "/v1/traces":
            return self.refuse()
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        self.note("accepted", request)
        self.answer(200, b"")

    def read_body(self):
        """The body, which the exporters of JavaScript send in chunks."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # a trailer
        return body

    def refuse(self, outcome="unknown-path"):
        self.note(outcome)
        self.answer(404, b"")

    def note(self, outcome, request=None):
        agent, target = self.headers.get("user-agent", ""), f"{self.command} {self.path}"
        self.server.receiver.saw(outcome, "http", agent, target, self.client_address[0], request)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
