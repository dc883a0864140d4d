#!/usr/bin/env bash
# Runs scenarios on the systemd of several suites, each in containers of its own image: ci/matrix.sh [SUITE...], which are
# bullseye, bookworm, trixie and sid unless given. As root.
set -euo pipefail
cd "$(dirname "$0")/.."

scenarios=(classic crash withhold undisturbed)
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(bullseye bookworm trixie sid)

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

step "hangproof and its programs, linked statically: they run on every suite"
host=$(rustc -vV | sed -n 's/^host: //p')
programs=target/static/$host/release
RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --quiet --locked --release --workspace --bins --target "$host" --target-dir target/static

# Makes the image of the suite $1 and runs the scenarios on it; adds a line to the summary.
try_suite() {
    local suite=$1 begin=$SECONDS verdict=pass version
    step "$suite"
    if ! docker/base-image.sh --pull trixie "$suite" ||
        ! docker build --tag "hangproof:$suite" --build-arg "SUITE=$suite" --file docker/Dockerfile .; then
        summary+=("$(printf '%-10s %-28s %-8s %5d s' "$suite" - "no image" $((SECONDS - begin)))")
        return 1
    fi
    version=$(docker run --rm --entrypoint systemctl "hangproof:$suite" --version | sed -n '1s/^systemd //p')
    "$programs/hangproof" run --machine docker --image "hangproof:$suite" "${scenarios[@]}" || verdict="fail ($?)"
    summary+=("$(printf '%-10s %-28s %-8s %5d s' "$suite" "$version" "$verdict" $((SECONDS - begin)))")
    [ "$verdict" = pass ]
}

summary=()
failed=0
for suite in "${suites[@]}"; do
    try_suite "$suite" || failed=1
done

step "${scenarios[*]}"
printf '%-10s %-28s %-8s %7s\n' suite systemd verdict took
printf '%s\n' "${summary[@]}"
exit $failed
