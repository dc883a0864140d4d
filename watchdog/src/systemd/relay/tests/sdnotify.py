"""Speaks through the module sdnotify of PyPI (Debian: python3-sdnotify)."""

import sdnotify

notifier = sdnotify.SystemdNotifier(debug=True)
notifier.notify("READY=1")
notifier.notify("STATUS=at work\nWATCHDOG=1\nX_A=1")
notifier.notify("RELOADING=1\nMONOTONIC_USEC=17")
# It writes Latin-1, which is no STATUS to systemd either.
notifier.notify("STATUS=caf\u00e9\nERRNO=5")
notifier.notify("STATUS=" + "x" * 4089)
notifier.notify("STATUS=" + "x" * 4090)
notifier.notify("STOPPING=1\n")
