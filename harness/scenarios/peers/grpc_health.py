#!/usr/bin/python3
"""A gRPC server that has nothing but the standard health service (grpc.health.v1), without generated code.

The messages are small enough to be written by hand: a request is read by nobody, since the whole server is what is asked
about, and a HealthCheckResponse with status SERVING is field 1, a varint, of value 1.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

SERVING = b"\x08\x01"


def check(_request: bytes, context: grpc.ServicerContext) -> bytes:
    # Says who it is, so that a restart is seen by a client too.
    context.set_trailing_metadata((("pid", str(os.getpid())),))
    return SERVING


def main() -> None:
    address = sys.argv[1]
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    methods = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods),))
    if server.add_insecure_port(address) == 0:
        sys.exit(f"cannot listen on {address}")
    server.start()
    print(f"grpc_health: pid {os.getpid()} serves on {address}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
