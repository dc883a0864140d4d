#!/bin/sh
# Sends a signal to processes in a cgroup and below it: signal.sh SIGNAL CGROUP MAINPID all|main|one|guard
#
# guard: a main process that is sd-watchdog, which the others leave out. main: of a guard, the child that it started first. one: the
# process that was started last.
#
# Runs in the machine, as the argument of `sh -c`; needs a POSIX shell and nothing else. Prints /proc/uptime's first
# number as it was just before the first signal, and as it was when every process had stopped.
signal=$1 group=$2 main=$3 which=$4 guard=''
# Hundredths of a second: how long processes may take to stop, and how long one that waits in the kernel is looked at.
limit=200 look=5
uptime() {
    read -r uptime _ </proc/uptime
    now=$((${uptime%.*} * 100 + 1${uptime#*.} - 100))
}

# A guard hears of the hang; it is not part of it.
read -r name 2>/dev/null <"/proc/$main/comm" && [ "$name" = sd-watchdog ] && guard=$main

if [ "$which" = guard ] && [ -z "$guard" ]; then
    # That it is gone heals it too.
    [ "$signal" != CONT ] || exit 0
    echo "the main process is not sd-watchdog: this fault is for a service that sd-watchdog runs" >&2
    exit 1
fi

# Appends to $found the processes of the cgroup $1 and below it, but for the guard's.
find_processes() {
    while read -r pid; do
        [ "$pid" != "$guard" ] || continue
        name=
        read -r name <"/proc/$pid/comm"
        # Part of the guard as well.
        [ "$name" = sd-wd-witness ] || found="$found$pid "
    done 2>/dev/null <"$1/cgroup.procs"
    for below in "$1"/*/; do
        [ ! -e "$below/cgroup.procs" ] || find_processes "${below%/}"
    done
}

# Sets $found to the one process that is meant of $found.
choose() {
    if [ "$which" = guard ]; then
        found=$guard
        return
    fi
    meant='' best=''
    for pid in $found; do
        { read -r line <"/proc/$pid/stat"; } 2>/dev/null || continue
        # A name may have blanks and parentheses: what follows is "STATE PPID …", and the start is the 20th of that (proc(5)).
        # shellcheck disable=SC2086
        set -- ${line##*) }
        parent=$2 started=${20}
        # The main process; of a guard's service, whatever the guard has started.
        if [ "$which" = main ]; then
            if [ -n "$guard" ]; then of=$parent wanted=$guard; else of=$pid wanted=$main; fi
            [ "$of" = "$wanted" ] || continue
        fi
        if [ -z "$meant" ] || { [ "$which" = main ] && [ "$started" -lt "$best" ]; } ||
            { [ "$which" = one ] && [ "$started" -ge "$best" ]; }; then
            meant=$pid best=$started
        fi
    done
    found=$meant
}

# Sets $does to what the process $1 does: stopped or ended; traced; waits, if at most that is so, for what no signal
# interrupts (as a parent in vfork(2) does for its child); else runs. What waits or is traced stops before it runs on.
look_at() {
    does=stopped
    for status in /proc/"$1"/task/*/status; do
        value=
        while read -r key value _; do
            [ "$key" != State: ] || break
        done 2>/dev/null <"$status"
        # One that is gone has no state.
        case $value in
        T | Z | X | '') ;;
        t) [ "$does" = waits ] || does=traced ;;
        D) does=waits ;;
        *)
            does=runs
            return
            ;;
        esac
    done
}

uptime
before=$uptime begin=$now quiet='' any='' sent=' '
while :; do
    found=''
    find_processes "$group"
    [ "$which" = all ] || {
        # The same all the time.
        if [ -n "$any" ]; then found=$any; else choose; fi
        any=''
    }
    any=$any$found todo='' news='' runs='' waits=''
    for pid in $found; do
        does=runs
        [ "$signal" != STOP ] || look_at "$pid"
        case $does in
        stopped) continue ;;
        runs) runs=yes ;;
        waits) waits=yes ;;
        esac
        todo="$todo$pid "
        case $sent in *" $pid "*) ;; *) news=yes sent="$sent$pid " ;; esac
    done
    # One that ended meanwhile is none of ours any more.
    # shellcheck disable=SC2086
    [ -z "$todo" ] || kill -s "$signal" $todo 2>/dev/null
    uptime
    [ "$signal" = STOP ] || break

    # Where all of a listing have stopped, the next one shows what they had started before they did. One that only waits may
    # be about to have started one, so it is looked at for a while.
    if [ -n "$runs" ]; then
        quiet=''
    elif [ -z "$quiet" ]; then
        quiet=$uptime since=$now
        continue
    elif [ -z "$waits" ] || [ $((now - since)) -ge $look ]; then
        break
    else
        continue
    fi
    if [ $((now - begin)) -ge $limit ]; then
        # A signal that was sent is taken before anything else, whenever that is: on a busy computer, or when thawed.
        [ -n "$news" ] || break
        echo "in 2 s not all processes in $group were stopped: new ones are started all the time" >&2
        exit 1
    fi
done
# That nothing is left to be continued is as well.
[ -n "$any" ] || [ "$signal" = CONT ] || { echo "there is no process in $group to send SIG$signal to" >&2; exit 1; }
echo "$before ${quiet:-$uptime}"
