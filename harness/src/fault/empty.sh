#!/bin/sh
# Takes away what fills a file system, where that is still there: empty.sh MAINPID PATH
# With a service that has a namespace of its own that goes too. One that has none leaves it here.
if [ -e "/proc/$1/ns/mnt" ]; then
    nsenter --target "$1" --mount rm -f "$2/.hangproof-full" || [ ! -e "/proc/$1/ns/mnt" ] || exit 1
fi
rm -f "$2/.hangproof-full"
