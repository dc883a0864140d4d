#!/bin/sh
# Takes the rules away, where there are any: unrule.sh TABLE
nft delete table inet "$1" 2>/dev/null || ! nft list table inet "$1" >/dev/null 2>&1
