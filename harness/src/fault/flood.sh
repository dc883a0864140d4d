#!/bin/sh
# Floods systemd's notify socket, from a unit of its own: what comes from no unit systemd would log, each time. Each sender waits where
# there is no room. One alone fills its own send buffer and not the queue (net.unix.max_dgram_qlen, 512 where systemd has set it).
#
# systemd does little else meanwhile, and answers nobody: the unit is started before it floods, and not ended by systemd.
fifo=/run/hangproof-flood
rm -f "$fifo"
mkfifo "$fifo"
# shellcheck disable=SC2016 # The unit's own shell is meant.
systemd-run --quiet --collect --unit=hangproof-flood --property=NotifyAccess=all --service-type=exec sh -c '
    read -r _ <"$0"
    for sender in 1 2 3 4; do
        yes | logger --socket "$NOTIFY_SOCKET" &
    done
    wait
' "$fifo"
echo go >"$fifo"
rm "$fifo"
