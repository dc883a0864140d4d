#!/bin/sh
# Has busy loops compete with a unit for the CPUs: starve.sh HOGS. starve.sh 0 ends them.
#
# Nobody's priority is changed: Linux may leave a session of little weight without any CPU, for seconds, and that no service can bear.
pids=/run/hangproof-hogs
if [ "$1" = 0 ]; then
    [ -e "$pids" ] || exit 0
    while read -r pid; do kill -s KILL "$pid" 2>/dev/null; done <"$pids"
    rm "$pids"
    exit 0
fi
count=$(($(nproc) * $1))
while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    # Each has a session of its own: all loops of one would get as much together as the unit (sched_autogroup_enabled). The
    # descriptors of this script are none of theirs.
    setsid sh -c 'while :; do :; done' 2>/dev/null 3>&- &
    # setsid forks only where it leads a group, and no job of a script does.
    echo $! >>"$pids"
done
