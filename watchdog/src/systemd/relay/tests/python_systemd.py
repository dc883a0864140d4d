"""Speaks through python3-systemd, which binds libsystemd."""

import os

from systemd import daemon

ours, theirs = os.pipe()
assert daemon.notify("READY=1")
assert daemon.notify("STATUS=caf\u00e9")
assert daemon.notify("WATCHDOG=1", pid=os.getppid())
assert daemon.notify("FDSTORE=1\nFDNAME=pipe", fds=[theirs])
assert daemon.notify("FDSTOREREMOVE=1\nFDNAME=pipe", pid=os.getppid(), fds=[])
assert daemon.notify("STOPPING=1", unset_environment=True)
assert not daemon.notify("READY=1")
