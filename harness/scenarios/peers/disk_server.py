#!/usr/bin/python3
"""An HTTP server that writes a file and reads another for each answer, and keeps a megabyte at hand meanwhile: disk_server.py DIRECTORY"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIRECTORY = Path(sys.argv[1])
NEW, LOG, PAGE = DIRECTORY / "log.new", DIRECTORY / "log", DIRECTORY / "page"
ROOM = 1 << 20
ONE = threading.Lock()


class Disk(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        room = bytearray(ROOM)
        with ONE:
            NEW.write_text("a request\n")
            NEW.replace(LOG)
        page = PAGE.read_bytes()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(page[: len(room)])

    def log_message(self, *_: object) -> None:
        pass


PAGE.write_text("a page\n")
ThreadingHTTPServer(("127.0.0.1", 8080), Disk).serve_forever()
