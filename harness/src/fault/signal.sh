#!/bin/sh
# Sends a signal to every process in a cgroup and below it, except for a guard: signal.sh STOP|CONT CGROUP MAINPID
#
# Runs in the machine, as the argument of `sh -c`; needs a POSIX shell and nothing else. Prints /proc/uptime's first
# number as it was just before the first signal, and as it was when every process had stopped.
signal=$1 group=$2 main=$3
seen=' '
uptime() { read -r uptime _ </proc/uptime; }

# A guard hears of the hang; it is not part of it.
read -r name 2>/dev/null <"/proc/$main/comm" && [ "$name" = sd-watchdog ] && seen=" $main "

# Appends to $found the processes of the cgroup $1 and below it that had no signal yet.
find_processes() {
    while read -r pid; do
        case $seen in
        *" $pid "*) ;;
        *)
            # Part of the guard as well.
            read -r name <"/proc/$pid/comm" && [ "$name" = sd-wd-witness ] || found="$found$pid "
            ;;
        esac
    done 2>/dev/null <"$1/cgroup.procs"
    for below in "$1"/*/; do
        [ ! -e "$below/cgroup.procs" ] || find_processes "${below%/}"
    done
}

# Whether every thread of the process $1 has stopped, or is gone.
has_stopped() {
    for status in /proc/"$1"/task/*/status; do
        while read -r key value _; do
            [ "$key" != State: ] || case $value in [TtZX]) ;; *) return 1 ;; esac
        done 2>/dev/null <"$status"
    done
}

uptime
before=$uptime
any=
# Once more after each round, since a process may have been started just before its parent was stopped.
while found='' && find_processes "$group" && [ -n "$found" ]; do
    # One that ended meanwhile is none of ours any more.
    # shellcheck disable=SC2086
    kill -s "$signal" $found 2>/dev/null
    seen=$seen$found any=yes
    if [ "$signal" = STOP ]; then
        for pid in $found; do
            until has_stopped "$pid"; do :; done
        done
    fi
done
uptime
[ -n "$any" ] || { echo "there is no process in $group to send SIG$signal to" >&2; exit 1; }
echo "$before $uptime"
