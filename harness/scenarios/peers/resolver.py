#!/usr/bin/python3
"""A name server that knows one name, 127.0.0.1, and fails by a timetable: resolver.py NAME FAULT@FROM-TO...

The times are seconds since the first question. FAULT is servfail, nxdomain, closed (nobody listens), silent (no question is
answered) or lost (one datagram is lost, the first; all others are answered). Says READY=1 when it listens.
"""

import os
import socket
import sys
import time

ADDRESS = ("127.0.0.1", 53)
HOST = 1  # The type A.
NO_ERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


class Timetable:
    def __init__(self, entries: list[str]) -> None:
        self.began = None
        self.spans = []
        for entry in entries:
            fault, span = entry.split("@")
            begin, end = span.split("-")
            self.spans.append((float(begin), float(end), fault))

    def fault(self) -> tuple[str, float]:
        """What is wrong now, if anything, and how much longer."""
        now = time.monotonic()
        since = now - (self.began or now)
        faults = [(fault, end - since) for begin, end, fault in self.spans if begin <= since < end]
        return faults[0] if faults else ("", 0)

    def lose(self) -> None:
        """The one datagram is lost."""
        self.spans = [span for span in self.spans if span[2] != "lost"]


def listen() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(ADDRESS)
    listener.settimeout(0.05)
    return listener


def name_of(question: bytes) -> str:
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    return ".".join(labels).lower()


def answer(question: bytes, code: int, known: str) -> bytes:
    """To the only question in it (RFC 1035, 4.1)."""
    end = question.index(b"\0", 12) + 5
    if code == NO_ERROR and name_of(question) != known:
        code = NXDOMAIN
    has_address = code == NO_ERROR and int.from_bytes(question[end - 4 : end - 2], "big") == HOST
    head = question[:2] + bytes([0x81, 0x80 | code, 0, 1, 0, has_address, 0, 0, 0, 0])
    record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x01\0\x04" + socket.inet_aton(ADDRESS[0])  # For one second.
    return head + question[12:end] + record * has_address


def main() -> None:
    known, timetable = sys.argv[1], Timetable(sys.argv[2:])
    listener = listen()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    while True:
        fault, rest = timetable.fault()
        if fault == "closed":
            listener.close()
            time.sleep(rest)
            listener = listen()
        try:
            question, client = listener.recvfrom(512)
        except socket.timeout:
            continue
        timetable.began = timetable.began or time.monotonic()
        fault, _ = timetable.fault()
        if fault == "lost":
            timetable.lose()
        elif fault not in ("silent", "closed"):
            code = {"servfail": SERVFAIL, "nxdomain": NXDOMAIN}.get(fault, NO_ERROR)
            listener.sendto(answer(question, code, known), client)


main()
