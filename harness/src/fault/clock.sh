#!/bin/sh
# Goes before a script, and tells when the script's first command began and its last one ended. What the script itself prints
# nobody reads.
set -eu
exec 3>&1 >/dev/null
ended() {
    [ "$?" -eq 0 ] || return
    read -r uptime _ </proc/uptime
    echo "$began $uptime" >&3
}
trap ended EXIT
read -r began _ </proc/uptime
