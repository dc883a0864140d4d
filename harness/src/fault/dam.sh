#!/bin/sh
# Ends the flood, where there is one. systemd, which is flooded, is not asked.
procs=/sys/fs/cgroup/system.slice/hangproof-flood.service/cgroup.procs
while read -r pid; do kill -s KILL "$pid"; done 2>/dev/null <"$procs"
rm -f /run/hangproof-flood
# It has read all of it when it answers.
systemctl reset-failed hangproof-flood.service 2>/dev/null
systemctl show --property=Version >/dev/null
