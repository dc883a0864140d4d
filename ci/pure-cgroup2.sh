#!/usr/bin/env bash
# Runs a command with a Docker engine of its own that sees a host with cgroup2 and nothing else, whatever this host has:
# dockerd in a mount namespace whose /sys/fs/cgroup is cgroup2. As root. `--help` says how.
set -euo pipefail

usage() {
    cat <<EOT
Usage: pure-cgroup2.sh [--load IMAGE]... COMMAND [ARG...]

Runs COMMAND with DOCKER_HOST set to a second engine on a pure cgroup2 host, and
ends that engine with it. Its containers have no network but their own loopback.

  --load IMAGE   copy an image of the usual engine; may be repeated
  --help         show this

Exits as COMMAND did; 125 if there is no such engine.
EOT
}

say() { echo "pure-cgroup2.sh: $*" >&2; }
fail() {
    say "$@"
    exit 125
}

start_engine() {
    mkdir "$room"/{data,exec}
    # Or dockerd would read the usual engine's settings, and refuse those that are options here.
    echo '{}' >"$room/daemon.json"
    # Everything is in one cgroup, by which the end finds it. The engine is not in the same as the containers are below:
    # cgroup2 has processes in the leaves only. The network is its own too: an engine without a bridge removes docker0.
    # shellcheck disable=SC2016
    setsid unshare --mount --net --propagation private -- /bin/sh -c '
        umount -R /sys/fs/cgroup 2>/dev/null
        mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit
        mkdir -p "$2/engine" && echo $$ >"$2/engine/cgroup.procs" || exit
        room=$1
        exec dockerd --host "unix://$room/docker.sock" --pidfile "$room/docker.pid" \
            --data-root "$room/data" --exec-root "$room/exec" --config-file "$room/daemon.json" \
            --storage-driver "$3" --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/${2##*/}/containers" \
            --bridge none --iptables=false --ip6tables=false
    ' pure-cgroup2 "$room" "/sys/fs/cgroup/$group" "$driver" >"$room/dockerd.log" 2>&1 </dev/null &
    engine=$!
}

give_up() {
    tail -n 20 "$room/dockerd.log" >&2
    fail "$1; its last lines are above."
}

await_engine() {
    local deadline=$((SECONDS + 60))
    until docker version >/dev/null 2>&1; do
        kill -0 "$engine" 2>/dev/null || give_up "the engine ended while it started"
        [ $SECONDS -lt $deadline ] || give_up "the engine did not answer within 60 s"
        sleep 0.1
    done
}

# Ends the engine, its containerd, its shims and their containers, which all are in its cgroup, and removes what is left.
end_engine() {
    trap '' HUP INT TERM
    if [ -n "$engine" ]; then
        docker ps --quiet --no-trunc 2>/dev/null | xargs -r docker kill >/dev/null 2>&1 || true
        kill "$engine" 2>/dev/null || true
        wait "$engine" 2>/dev/null || true
        remove_cgroup
    fi
    rm -rf --one-file-system -- "$room"
}

# cgroup2 is mounted for a moment, in a mount namespace of its own: this host may not have it at a known place.
remove_cgroup() {
    # shellcheck disable=SC2016
    unshare --mount --propagation private -- /bin/sh -c '
        umount -R /sys/fs/cgroup 2>/dev/null
        mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd "/sys/fs/cgroup/$1" 2>/dev/null || exit 0
        echo 1 >cgroup.kill
        for _ in $(seq 100); do
            grep -q "populated 0" cgroup.events && break
            sleep 0.05
        done
        find . -depth -mindepth 1 -type d -exec rmdir {} +
        cd / && rmdir "/sys/fs/cgroup/$1"
    ' remove-cgroup "$group" || say "its cgroup $group could not be removed"
}

images=()
while [ $# -gt 0 ]; do
    case $1 in
    --load) [ $# -gt 1 ] || { usage >&2; exit 2; }; images+=("$2"); shift 2 ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    -*) usage >&2; echo "pure-cgroup2.sh: unknown option '$1'" >&2; exit 2 ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || { usage >&2; exit 2; }

[ "$(id -u)" -eq 0 ] || fail "must run as root (try: sudo $0)"
command -v dockerd >/dev/null || fail "dockerd is not installed. On Debian: apt-get install docker.io"
# The same as the usual engine's, since what works depends on the file system below; vfs works everywhere, slowly.
driver=$(docker info --format '{{.Driver}}' 2>/dev/null) || driver=vfs
case $driver in overlay2 | fuse-overlayfs | btrfs | zfs) ;; *) driver=vfs ;; esac

usual=${DOCKER_HOST:-}
room=$(mktemp -d /tmp/pure-cgroup2.XXXXXX)
group=pure-cgroup2.${room##*.}
engine=''
trap end_engine EXIT
trap 'exit 130' HUP INT TERM
export DOCKER_HOST=unix://$room/docker.sock
start_engine
await_engine
for image in ${images[@]+"${images[@]}"}; do
    DOCKER_HOST=$usual docker save "$image" | docker load >/dev/null || fail "the image $image could not be copied."
done
"$@"
