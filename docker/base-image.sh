#!/usr/bin/env bash
# Makes debian:SUITE-slim, the base image that the Dockerfile asks for, from Debian packages. `--help` says how.
set -euo pipefail

MIRROR=${MIRROR:-http://deb.debian.org/debian}
ARCHIVE=http://archive.debian.org/debian
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# Where an administrator puts certificates that Debian does not know, for instance a TLS-inspecting proxy's.
CERTIFICATES=/usr/local/share/ca-certificates

usage() {
    cat <<EOT
Usage: base-image.sh [--pull] [--force] [SUITE...]

Makes the image debian:SUITE-slim for each SUITE (bullseye to sid; trixie unless
given), for build machines that cannot pull it. What exists already is left alone.

  --pull    pull it instead, if that works within a minute
  --force   make it again, even if it exists
  --help    show this

Environment:
  MIRROR    where the packages come from   [default: $MIRROR]

Certificates in $CERTIFICATES go into the image, so that
builds behind a TLS-inspecting proxy work.
EOT
}

say() { echo "base-image.sh: $*" >&2; }
fail() {
    say "$@"
    exit 1
}

check_tools() {
    command -v mmdebstrap >/dev/null || fail "mmdebstrap is not installed. Install it: sudo ci/setup.sh"
    [ -e "$KEYRING" ] || fail "$KEYRING does not exist. Install debian-archive-keyring: sudo ci/setup.sh"
}

check_docker() {
    command -v docker >/dev/null || fail "docker is not installed. Install it, on Debian: apt-get install docker.io"
    local answer
    answer=$(docker version --format '{{.Server.Version}}' 2>&1) ||
        fail "no Docker engine answers: $answer. Start it, or set DOCKER_HOST."
}

# Prints the mirror that has the suite $1: old ones move to the archive.
find_mirror() {
    local mirror
    for mirror in "$MIRROR" "$ARCHIVE"; do
        if /usr/lib/apt/apt-helper download-file "$mirror/dists/$1/InRelease" "$work/InRelease" >"$work/log" 2>&1; then
            echo "$mirror"
            return
        fi
    done
    cat "$work/log" >&2
    fail "neither $MIRROR nor $ARCHIVE has a suite '$1'. Check its name; set MIRROR to another mirror."
}

# Makes the root file system of the suite $1 from the mirror $2 as the archive $3.
bootstrap() {
    local options=(
        --variant=minbase
        --keyring="$KEYRING"
        # sid's Release file may be past its date, and an archived one always is.
        --aptopt='Acquire::Check-Valid-Until "false"'
        --aptopt='Acquire::Languages "none"'
        --dpkgopt=path-exclude=/usr/share/man/*
        --dpkgopt=path-exclude=/usr/share/info/*
        --dpkgopt=path-exclude=/usr/share/locale/*
        --dpkgopt=path-exclude=/usr/share/doc/*
        --dpkgopt=path-include=/usr/share/doc/*/copyright
        # Not this host's name, resolver or identity. It is mmdebstrap's shell that knows $1, the new root.
        --customize-hook="rm -f \"\$1/etc/hostname\" \"\$1/etc/resolv.conf\" \"\$1/etc/machine-id\""
    )
    if compgen -G "$CERTIFICATES/*.crt" >/dev/null; then
        options+=(
            --customize-hook="mkdir -p \"\$1$CERTIFICATES\""
            --customize-hook="cp -- $CERTIFICATES/*.crt \"\$1$CERTIFICATES/\""
        )
    fi
    mmdebstrap "${options[@]}" "$1" "$3" "$2" >"$work/log" 2>&1 || {
        tail -n 20 "$work/log" >&2
        fail "mmdebstrap could not make $1 from $2; its last lines are above."
    }
}

make_image() {
    local suite=$1 image=debian:$1-slim old mirror
    old=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null) || old=''
    if [ -n "$old" ] && ! $force; then
        say "$image exists already (--force makes it again)"
        return
    fi
    if $pull && timeout 60 docker pull --quiet "$image" >/dev/null 2>&1; then
        say "pulled $image"
        return
    fi
    check_tools
    mirror=$(find_mirror "$suite")
    say "making $image from $mirror: half a minute or so"
    bootstrap "$suite" "$mirror" "$work/$suite.tar"
    docker import \
        --change 'CMD ["bash"]' \
        --change 'LABEL org.hangproof.image=base' \
        --change "LABEL org.hangproof.suite=$suite" \
        --message "docker/base-image.sh $suite, from $mirror" \
        "$work/$suite.tar" "$image" >/dev/null
    rm -f -- "$work/$suite.tar"
    say "made $image, $(($(docker image inspect --format '{{.Size}}' "$image") / 1000000)) MB, ${SECONDS} s after the start"
    # Unless something was built on it.
    [ -z "$old" ] || docker image rm "$old" >/dev/null 2>&1 || true
}

force=false pull=false
suites=()
for argument in "$@"; do
    case $argument in
    --force) force=true ;;
    --pull) pull=true ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; echo "base-image.sh: unknown option '$argument'" >&2; exit 2 ;;
    *[!a-z]*) echo "base-image.sh: '$argument' is not the name of a suite" >&2; exit 2 ;;
    *) suites+=("$argument") ;;
    esac
done
[ ${#suites[@]} -gt 0 ] || suites=(trixie)

check_docker
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 1' HUP INT TERM
for suite in "${suites[@]}"; do
    make_image "$suite"
done
