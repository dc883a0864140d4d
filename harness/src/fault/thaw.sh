#!/bin/sh
# Thaws a cgroup, where it is still there: thaw.sh CGROUP
if [ -e "$1/cgroup.freeze" ]; then
    # It may go at any moment.
    echo 0 2>/dev/null >"$1/cgroup.freeze" || [ ! -e "$1/cgroup.freeze" ]
fi
