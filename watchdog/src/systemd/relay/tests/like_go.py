"""Imitates Go: what net.DialUnix("unixgram", nil, address) and Write do, system call by system call, by which go-systemd's
SdNotify speaks. `@` stands for the NUL byte of an abstract name; of such a name no byte is added at the end, of a path one
is (syscall.SockaddrUnix). The socket is non-blocking, may broadcast, is connected and polled.
"""

import os
import select
import socket
import sys

address = os.environ["NOTIFY_SOCKET"]
name = b"\0" + address[1:].encode() if address.startswith("@") else address.encode()
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.connect(name)
poll = select.epoll()
poll.register(s.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
assert s.getsockname() in ("", b""), "Go leaves it without a name"
assert s.getpeername() == (name if address.startswith("@") else address)
for words in ["READY=1", "STATUS=at work", "WATCHDOG=1", "STOPPING=1"]:
    assert os.write(s.fileno(), words.encode()) == len(words), sys.argv
