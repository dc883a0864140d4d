#!/bin/sh
# Takes the FIFO away, where there is one: uncover.sh MAINPID FILE
# shellcheck disable=SC2016 # The inner shell is meant.
uncover='
    [ -p "$1" ] || exit 0
    # Who waits gets a file that is empty, and nobody waits for this.
    exec 4<>"$1"
    umount --lazy "$1"
'
# With a service that has a namespace of its own that goes too. One that has none leaves it here.
if [ -e "/proc/$1/ns/mnt" ]; then
    nsenter --target "$1" --mount sh -c "$uncover" uncover "$2" || [ ! -e "/proc/$1/ns/mnt" ] || exit 1
fi
sh -c "$uncover" uncover "$2"
