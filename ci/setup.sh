#!/usr/bin/env bash
# Installs what a bare Debian or Ubuntu lacks to build hangproof and run its checks, but for Rust itself. As root.
set -euo pipefail

packages=(systemd util-linux procps shellcheck gcc libc6-dev)
missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
