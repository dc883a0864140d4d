#!/bin/sh
# Makes all of a cgroup idle work, and the CPUs busy: starve.sh CGROUP HOGS. feed.sh undoes it.
processes() {
    while read -r pid; do echo "$pid"; done <"$1/cgroup.procs"
    for below in "$1"/*/; do
        [ ! -e "$below/cgroup.procs" ] || processes "${below%/}"
    done
}

idle() {
    for pid in $(processes "$1"); do
        # One that ended meanwhile is none of ours any more.
        chrt --all-tasks --idle --pid 0 "$pid" 2>/dev/null || :
        # Where sessions share the CPUs evenly (sched_autogroup_enabled), idle work of one is as much as anything of another. At 13 it
        # gets a twentieth of a CPU, a little more than idle work does beside eight loops; the seventieth of 19 is less than it takes
        # to ask and to ping.
        echo 13 2>/dev/null >"/proc/$pid/autogroup" || :
    done
}

count=$(($(nproc) * $2))
while [ "$count" -gt 0 ]; do
    count=$((count - 1))
    # The descriptors of this script are none of theirs.
    nice -n 19 sh -c 'while :; do :; done' 2>/dev/null 3>&- &
    echo $! >>/run/hangproof-hogs
done
idle "$1"
# What was started meanwhile by one that was not idle yet.
idle "$1"
