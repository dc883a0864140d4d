#!/bin/sh
# Freezes a cgroup: freeze.sh CGROUP. The kernel tells when all in it is frozen.
echo 1 >"$1/cgroup.freeze"
read -r uptime _ </proc/uptime
# 2 s, in hundredths.
limit=$((${uptime%.*} * 100 + 1${uptime#*.} - 100 + 200))
while :; do
    while read -r key value; do
        [ "$key $value" != "frozen 1" ] || exit 0
    done <"$1/cgroup.events"
    read -r uptime _ </proc/uptime
    [ $((${uptime%.*} * 100 + 1${uptime#*.} - 100)) -lt "$limit" ] || break
done
echo "in 2 s not all of $1 was frozen" >&2
exit 1
