#!/bin/sh
# Lets the processes of a cgroup, except for a guard, allocate no more than so many MB: limit.sh CGROUP MAINPID MB
guard=''
read -r name 2>/dev/null <"/proc/$2/comm" && [ "$name" = sd-watchdog ] && guard=$2
any='' why=''
while read -r pid; do
    name=''
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null || continue
    if [ "$pid" = "$guard" ] || [ "$name" = sd-wd-witness ]; then continue; fi
    while read -r key kilobytes _; do
        [ "$key" = VmSize: ] || continue
        # The hard limit stays, so that it can be undone.
        if said=$(prlimit --pid "$pid" --as="$(((kilobytes + $3 * 1024) * 1024)):" 2>&1); then any=yes; else why=" ($said)"; fi
    done 2>/dev/null <"/proc/$pid/status"
done <"$1/cgroup.procs"
[ -n "$any" ] || {
    echo "there is no process in $1 whose memory could be limited$why" >&2
    exit 1
}
