#!/bin/sh
# Takes the delay away, where there is one.
tc qdisc del dev lo root netem 2>/dev/null || case $(tc qdisc show dev lo root) in *netem*) exit 1 ;; esac
