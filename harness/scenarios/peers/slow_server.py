#!/usr/bin/python3
"""An HTTP server that answers one client at a time and uses the CPU for that: slow_server.py ADDRESS:PORT SECONDS

Every answer takes SECONDS of CPU, however long it takes to get them.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS, PORT = sys.argv[1].rsplit(":", 1)
SECONDS = float(sys.argv[2])


class Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        enough = time.thread_time() + SECONDS
        while time.thread_time() < enough:
            pass
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"slow\n")

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            pass  # A client that has given up.


HTTPServer((ADDRESS, int(PORT)), Slow).serve_forever()
