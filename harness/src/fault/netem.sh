#!/bin/sh
# Delays what goes over the loopback device: netem.sh DELAY
tc qdisc add dev lo root netem delay "$1" limit 100000
