#!/usr/bin/python3
"""Sends datagrams to a Unix socket as fast as it takes them: flood.py SOCKET|@FILE DATAGRAM

@FILE holds the socket's name, in the notation of NOTIFY_SOCKET.
"""

import socket
import sys

name, datagram = sys.argv[1], sys.argv[2].encode()
if name.startswith("@/"):
    with open(name[1:]) as file:
        name = file.read()
address = "\0" + name[1:] if name.startswith("@") else name
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
    flood.connect(address)
    while True:
        flood.send(datagram)
