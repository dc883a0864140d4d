#!/bin/sh
# Binds a FIFO over a file, as a service sees it: cover.sh MAINPID FILE
# shellcheck disable=SC2016 # The inner shell is meant.
nsenter --target "$1" --mount sh -c '
    [ -f "$1" ] || {
        echo "the service has no file $1" >&2
        exit 1
    }
    umask 0
    fifo=/dev/shm/hangproof-fifo-$$
    mkfifo "$fifo"
    mount --bind "$fifo" "$1"
    rm "$fifo"
' cover "$2"
