#!/bin/sh
# Lets the processes of a cgroup allocate as much as they might again: unlimit.sh CGROUP
[ -e "$1/cgroup.procs" ] || exit 0
while read -r pid; do
    hard=$(prlimit --pid "$pid" --as --output=HARD --noheadings --raw 2>/dev/null) || continue
    prlimit --pid "$pid" --as="$hard:" 2>/dev/null || :
done <"$1/cgroup.procs"
