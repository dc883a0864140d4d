#!/usr/bin/env bash
# Asks the systemd of several suites: ci/matrix.sh [SUITE...], which are bullseye, bookworm, trixie and sid unless given.
# Runs scenarios in containers of the suite's image, and the machine tests in namespaces over that image's tree. As root.
set -euo pipefail
cd "$(dirname "$0")/.."

scenarios=(classic crash withhold undisturbed deadlock harness/scenarios/guarded-beside.toml)
suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(bullseye bookworm trixie sid)

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

step "hangproof, its programs and its tests, linked statically: they run on every suite"
host=$(rustc -vV | sed -n 's/^host: //p')
programs=target/static/$host/release
export RUSTFLAGS='-C target-feature=+crt-static'
options=(--quiet --locked --release --target "$host" --target-dir target/static)
cargo build "${options[@]}" --workspace --bins
tests=$(cargo test "${options[@]}" --package harness --test machines --no-run --message-format json |
    sed -n 's/.*"name":"machines".*"executable":"\([^"]*\)".*/\1/p')
[ -x "$tests" ] || { echo "matrix.sh: cargo did not say where the machine tests are: '$tests'" >&2; exit 1; }

work=$(mktemp -d)
container=hangproof-matrix-$$
trap 'rm -rf -- "$work"; docker rm --force "$container" >/dev/null 2>&1 || true' EXIT

# Makes the directory $2 a tree of the image $1, with what the tests ask a machine by and the image does without.
unpack() {
    local packages='procps dbus' result=0
    # Up to bookworm /usr is not merged by itself everywhere, and no machine can be booted over one that is not.
    case $1 in *:bullseye | *:bookworm) packages+=' usrmerge' ;; esac
    if docker run --name "$container" --entrypoint sh "$1" -c \
        "apt-get update -qq && apt-get install -qq --yes --no-install-recommends $packages" >"$work/log" 2>&1; then
        mkdir "$2"
        docker export "$container" | tar --extract --directory "$2" || result=$?
    else
        result=$?
        tail -n 20 "$work/log" >&2
    fi
    docker rm --force "$container" >/dev/null
    return $result
}

# Makes the image of the suite $1, and asks it; adds a line to the summary.
try_suite() {
    local suite=$1 begin=$SECONDS in_containers=pass in_namespaces=pass version
    step "$suite: the image"
    if ! docker/base-image.sh --pull trixie "$suite" ||
        ! docker build --tag "hangproof:$suite" --build-arg "SUITE=$suite" --file docker/Dockerfile . ||
        ! unpack "hangproof:$suite" "$work/$suite"; then
        summary+=("$(printf '%-10s %-28s %-10s %-10s %5d s' "$suite" - "no image" - $((SECONDS - begin)))")
        return 1
    fi
    version=$(docker run --rm --entrypoint systemctl "hangproof:$suite" --version | sed -n '1s/^systemd //p')
    step "$suite: scenarios in containers"
    "$programs/hangproof" run --machine docker --image "hangproof:$suite" "${scenarios[@]}" || in_containers="fail ($?)"
    # Not under cargo, which would have the programs built again, for this suite alone.
    step "$suite: tests in namespaces"
    # CI: where no machine boots, that is a failure.
    env -u CARGO CI=true HANGPROOF_TEST_ROOT="$work/$suite" "$tests" namespace:: || in_namespaces="fail ($?)"
    rm -rf -- "${work:?}/$suite"
    summary+=("$(printf '%-10s %-28s %-10s %-10s %5d s' \
        "$suite" "$version" "$in_containers" "$in_namespaces" $((SECONDS - begin)))")
    [ "$in_containers$in_namespaces" = passpass ]
}

summary=()
failed=0
for suite in "${suites[@]}"; do
    try_suite "$suite" || failed=1
done

step "the matrix"
printf '%-10s %-28s %-10s %-10s %7s\n' suite systemd scenarios tests took
printf '%s\n' "${summary[@]}"
exit $failed
