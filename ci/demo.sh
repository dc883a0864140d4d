#!/usr/bin/env bash
# The demo as a visitor runs it: builds the image, brings it up, hangs the server, waits for the recovery, takes it down,
# and fails if anything stays. With Compose v2, then with v1 where that is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

export COMPOSE_PROJECT_NAME=hangproof-ci-$$
export HANGPROOF_DEMO_PORT=${HANGPROOF_DEMO_PORT:-8080}
export HANGPROOF_PAGE_PORT=${HANGPROOF_PAGE_PORT:-8090}
PAGE=http://localhost:$HANGPROOF_PAGE_PORT
PATIENCE=30

say() { printf '\033[1mdemo.sh: %s\033[0m\n' "$*" >&2; }
fail() {
    say "FAIL: $*"
    exit 1
}

# Waits until the command $2… succeeds; $1 says what for.
await() {
    local what=$1 deadline=$((SECONDS + PATIENCE))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fail "waited $PATIENCE s for $what"
        sleep 0.1
    done
}

listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }
answers() { curl --silent --fail --max-time 1 --output /dev/null "http://127.0.0.1:$HANGPROOF_DEMO_PORT/healthz"; }
page_answers() { curl --silent --fail --max-time 1 --output /dev/null "$PAGE/health"; }
# The page's events up to a line that has $1 in it.
tells() { grep --quiet --fixed-strings "$1" < <(curl --silent --no-buffer --max-time "$PATIENCE" "$PAGE/events"); }
# Asks for a deed as the page does, with the token that it carries.
deed() {
    local token
    token=$(curl --silent --fail "$PAGE/" | grep -o 'name="token" content="[^"]*"' | cut -d '"' -f 4)
    curl --silent --fail --max-time 30 --output /dev/null --header "Origin: $PAGE" --header 'Content-Type: application/json' \
        --header "X-Hangproof-Token: $token" --data "$1" "$PAGE/deed"
}
mute() { deed '{"deed":"inject","fault":"mute"}'; }
restarts() { "${compose[@]}" exec -T demo systemctl show --property=NRestarts --value buggy_server | tr -d '\r'; }
restarted() { [ "$(restarts)" -gt "$before" ]; }
# A server that says no (1) hangs at random already, which does as well; one that does not answer (2) is just starting.
hangs() { "${compose[@]}" exec -T demo buggy_server inject mute >/dev/null 2>&1 || [ $? -eq 1 ]; }
log_shows() { [[ $("${compose[@]}" logs 2>&1) == *"$1"* ]]; }

# One life of the demo, with the compose command $1…, brought up by `up $options`.
cycle() {
    compose=("$@")
    say "${compose[*]} up"
    "${compose[@]}" up "${options[@]}" || fail "the demo did not come up"
    container=$("${compose[@]}" ps --quiet demo)
    # It hangs at random from the start, so the first answer may take a recovery.
    await "port $HANGPROOF_DEMO_PORT to answer, now that the demo is up" answers

    local address published
    address=$(docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$container")
    published=$(docker port "$container")
    published=$(sort <<<"$published")
    [ "$published" = "8080/tcp -> 127.0.0.1:$HANGPROOF_DEMO_PORT
8090/tcp -> 127.0.0.1:$HANGPROOF_PAGE_PORT" ] || fail "published more or less than two ports: $published"
    listens "$address" 8080 || fail "the container's address $address cannot be reached, which the next check needs"
    ! listens "$address" 8081 || fail "the control endpoint can be reached from outside the container"

    await "the page to answer" page_answers
    ! curl --silent --fail --output /dev/null --header 'Host: evil.example' "$PAGE/" || fail "the page answers to a foreign name"
    ! curl --silent --fail --output /dev/null --data '{"deed":"restart"}' "$PAGE/deed" || fail "anybody can have deeds done"
    await "the page to take a deed" mute
    tells '"word":"pass"' || fail "the page does not tell of a recovery"

    before=$(restarts)
    await "the server to take a fault" hangs
    await "systemd to restart it" restarted
    await "an answer after the restart" answers
    await "the restart on the terminal" log_shows 'Scheduled restart job'
    "${compose[@]}" logs 2>&1 | grep -E 'fault injected|Watchdog request|Scheduled restart job|Started buggy_server' | cut -c 1-160

    say "${compose[*]} down"
    "${compose[@]}" down
    compose=()
    nothing_stays
    say "PASS with $*"
}

nothing_stays() {
    local left port
    left=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
    left+=$(docker network ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
    left+=$(docker volume ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME")
    left+=$(find /sys/fs/cgroup -type d -name "*$container*")
    [ -z "$left" ] || fail "this stayed: $left"
    for port in "$HANGPROOF_DEMO_PORT" "$HANGPROOF_PAGE_PORT"; do
        ! listens 127.0.0.1 "$port" || fail "something listens on port $port still"
    done
}

clean_up() {
    [ ${#compose[@]} -gt 0 ] || return 0
    say "the demo's last lines:"
    "${compose[@]}" logs --tail 40 >&2 || true
    "${compose[@]}" down --timeout 5 >&2 || true
}

docker compose version >/dev/null 2>&1 || fail "docker compose (v2) is not installed. Install it: sudo ci/setup.sh"
! listens 127.0.0.1 "$HANGPROOF_DEMO_PORT" ||
    fail "port $HANGPROOF_DEMO_PORT is in use. Free it, or set HANGPROOF_DEMO_PORT to another."
! listens 127.0.0.1 "$HANGPROOF_PAGE_PORT" ||
    fail "port $HANGPROOF_PAGE_PORT is in use. Free it, or set HANGPROOF_PAGE_PORT to another."
docker/base-image.sh --pull trixie

compose=()
trap clean_up EXIT
trap 'exit 130' HUP INT TERM
options=(--build --detach)
cycle docker compose
if command -v docker-compose >/dev/null && docker-compose version --short | grep -q '^1\.'; then
    # The image as it is: v1 would build it again, since the builders share no cache.
    options=(--detach)
    cycle docker-compose
fi
