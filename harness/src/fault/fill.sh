#!/bin/sh
# Fills the file system that a service has at a path: fill.sh MAINPID PATH. It is to be a small tmpfs: what it takes is the host's memory.
# shellcheck disable=SC2016 # The inner shell is meant.
nsenter --target "$1" --mount sh -c '
    set -- "$1" $(stat --file-system --format "%T %S %b" "$1")
    if [ "${2:-}" != tmpfs ] || [ $(($3 * $4)) -gt $((64 * 1024 * 1024)) ] || [ "$4" -eq 0 ]; then
        echo "$1 is on no tmpfs of at most 64 MB: give the service one, TemporaryFileSystem=$1:size=16M" >&2
        exit 1
    fi
    # Ends where there is no room any more.
    dd if=/dev/zero of="$1/.hangproof-full" bs=64K 2>/dev/null
    dd if=/dev/zero of="$1/.hangproof-full" bs=1 count=65536 oflag=append conv=notrunc 2>/dev/null
    [ "$(stat --file-system --format %a "$1")" = 0 ] || {
        echo "$1 is not full" >&2
        exit 1
    }
' fill "$2"
