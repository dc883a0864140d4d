#!/usr/bin/python3
"""An HTTP/1.1 server that keeps connections: web_server.py unix PATH, or web_server.py tls PORT CERTIFICATE KEY"""

import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response_only(103)
        self.send_header("Link", "</style.css>; rel=preload")
        self.end_headers()
        body = b'{"status":"up"}\n'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass

    def address_string(self) -> str:
        return "a client"

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            pass  # The client has gone.


class Unix(ThreadingHTTPServer):
    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0


class Tls(ThreadingHTTPServer):
    def finish_request(self, request, client_address) -> None:
        # In the thread of the client, who may be slow.
        request.settimeout(5)
        super().finish_request(CONTEXT.wrap_socket(request, server_side=True), client_address)

    def handle_error(self, *_: object) -> None:
        pass


if sys.argv[1] == "unix":
    Unix(sys.argv[2], Web).serve_forever()
else:
    CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    CONTEXT.load_cert_chain(sys.argv[3], sys.argv[4])
    Tls(("127.0.0.1", int(sys.argv[2])), Web).serve_forever()
