"""An OTLP/HTTP endpoint that answers as it is told: `flaky_endpoint.py 503,503,200`.

Each request gets the next status, and the last one for ever. Prints its port,
then a line of JSON for each request. `--certificate PEM` (with its key) makes it
https, `--retry-after SECONDS` is said with each refusal. Ends with its input.
"""

import argparse
import base64
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOCK = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with LOCK:
            statuses = self.server.statuses
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            print(
                json.dumps(
                    {
                        "at": time.monotonic(),
                        "path": self.path,
                        "headers": {name.lower(): value for name, value in self.headers.items()},
                        "body": base64.b64encode(body).decode(),
                        "status": status,
                    }
                ),
                flush=True,
            )
        self.send_response(status)
        self.send_header("content-length", "0")
        if status != 200 and self.server.retry_after:
            self.send_header("retry-after", self.server.retry_after)
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("statuses", type=lambda text: [int(status) for status in text.split(",")])
    parser.add_argument("--certificate")
    parser.add_argument("--retry-after")
    args = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.statuses, server.retry_after = args.statuses, args.retry_after
    if args.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
