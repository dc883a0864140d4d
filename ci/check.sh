#!/usr/bin/env bash
# Everything that must hold before a change lands. Run it as a contributor does: ci/check.sh
# What this computer cannot check is said, and said again before the tests. In CI (CI=true) it is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

# In CI at least so many tests must have passed at the end: a filter, a feature or a machine that does not boot would make
# others vanish unseen. Goes up with the tests.
LEAST_TESTS=1900

target=${CARGO_TARGET_DIR:-$PWD/target}
oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
# What is drawn at random is drawn anew each time, but in CI by the commit: the same one is judged by the same.
if [ -n "${CI:-}" ]; then
    seed=$((16#$(git rev-parse HEAD | cut -c 1-8)))
    export HANGPROOF_UNITS_SEED=${HANGPROOF_UNITS_SEED:-$seed} PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$seed}
fi
# A snapshot that changed is a failure here, not a new file.
export INSTA_UPDATE=no

step() { printf '\n\033[1m== %s\033[0m (%d:%02d)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }
fail() {
    echo "check.sh: $*" >&2
    exit 1
}

skipped=()
# The check $1 is not made; $2 says why.
skip() {
    skipped+=("$1: $2")
    printf '\033[1mSKIPPED %s\033[0m\n' "$1: $2"
}
# The same, but in CI it must be made.
lacks() {
    [ -z "${CI:-}" ] || fail "in CI this must be checked: $1. But $2"
    skip "$@"
}

# Runs scenarios, and again those of a run that came to no verdict, since the computer was too busy for one (exit code 4).
decided() {
    local code=0
    "$@" || code=$?
    [ "$code" = 4 ] || return "$code"
    echo "check.sh: no verdict; once more" >&2
    "$@"
}

step format
cargo fmt --all --check

step dependencies
if command -v cargo-deny >/dev/null; then
    cargo deny --locked check licenses bans sources
    if cargo deny fetch db 2>/dev/null; then
        cargo deny --locked check advisories
    else
        skip "advisories about dependencies" "their database cannot be fetched"
    fi
else
    lacks "licences and sources of dependencies" "cargo-deny is not installed: ci/setup.sh"
fi
if command -v cargo-shear >/dev/null; then
    cargo shear --locked --deny-warnings
else
    lacks "dependencies that nothing uses" "cargo-shear is not installed: ci/setup.sh"
fi

step shell scripts
if command -v shellcheck >/dev/null; then
    git ls-files -z '*.sh' .ci/run harness/src/machine/docker/entrypoint | xargs -0 shellcheck
else
    lacks "shell scripts" "shellcheck is not installed: ci/setup.sh"
fi

step "the page's modules"
if node --test --version >/dev/null 2>&1; then
    node --test harness/src/page/assets/tests/*.test.js
else
    lacks "the page's modules" "there is no node of version 18 or later: ci/setup.sh"
fi

step "the first command of README.md"
if [ "$(id -u)" = 0 ]; then
    time decided cargo run --locked --package harness
else
    lacks "the classic scenario" "machines need root"
fi

step "what the second takes of it"
time ci/shared-builds.py

step clippy
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo clippy --locked --package watchdog --no-default-features -- -D warnings

step documentation
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet

step "Rust $oldest, as Cargo.toml says"
if rustc "+$oldest" --version 2>/dev/null; then
    # What its users build; the tests are built with the toolchain of today.
    cargo "+$oldest" check --locked --workspace --quiet
else
    # In CI too: it is not to be had everywhere.
    skip "Rust $oldest" "that toolchain is not installed: ci/setup.sh; clippy has looked at the standard library's part"
fi

# What is tested with all features is only compiled with less: the same lines do the same.
step "without containers"
cargo check --locked --package harness --no-default-features --features run --all-targets --quiet

step "the pure half alone"
# Whoever replays, judges or reports needs no runtime, no command line and no engine.
if cargo tree --locked --package harness --no-default-features --edges normal --prefix none |
    grep --extended-regexp '^(tokio|clap|testcontainers|watchdog|server) '; then
    fail "the pure half of hangproof has got one of these as a dependency"
fi
cargo check --locked --package harness --no-default-features --lib --test replay --quiet

step "a part of its changes that no test may miss"
if command -v cargo-mutants >/dev/null; then
    time ci/mutants.sh head
else
    # In CI too: it is built from its sources, for minutes.
    skip "whether tests notice changes of the pure half" "cargo-mutants is not installed: ci/setup.sh"
fi

step "each crate is whole by itself"
ci/package.sh

step "what is shipped"
cargo build --locked --profile dist --package watchdog
cargo build --locked --profile dist --package server
HANGPROOF_TEST_PROGRAMS=$target/dist cargo test --locked --workspace --quiet \
    --test footprint --test wrap --test subcommands --test install \
    --test program --test client --test control --test faults -- --include-ignored
if [ "$(id -u)" = 0 ]; then
    decided "$target/debug/hangproof" run --programs "$target/dist" classic deadlock crash harness/scenarios/guarded-beside.toml
else
    lacks "scenarios with the programs as shipped" "machines need root"
fi

step "the benchmarks still run"
cargo test --locked --workspace --bench machines --bench guarding --bench serving --quiet

step "a minute of soak"
# `cargo bench -p watchdog -- --soak 1`, of the program as shipped, and without a build in one more profile.
HANGPROOF_TEST_PROGRAMS=$target/dist cargo test --locked --workspace --bench guarding -- --soak 1 ${seed:+--seed "$seed"}

step "README's pictures of the page"
if [ "$(id -u)" != 0 ]; then
    lacks "README's pictures, and the page in a browser" "its machine needs root"
elif command -v chromedriver >/dev/null && command -v img2webp >/dev/null; then
    # The other tests in a browser are among all tests, below.
    time ci/pictures.sh "$target/readme-pictures"
elif [ -z "$(apt-cache madison chromium-driver 2>/dev/null)" ]; then
    # In CI too: Ubuntu, for one, has it as a snap alone.
    skip "the page in a browser" "this distribution has no package chromium-driver"
else
    lacks "the page in a browser" "Chromium, its driver or webp is not installed: ci/setup.sh --browser"
fi

step "containers where the host has nothing but cgroup2"
if docker image inspect hangproof:trixie >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    # Whether machines boot, hang and come back, are cleared away, and are seen from this host: the rest knows no cgroup.
    tests=''
    for what in a_mute_server the_same_scenario nothing_is_left a_container_ends_by_itself a_client_on_the_engines_host; do
        tests+="cargo test --locked --package harness --test machines --quiet -- docker::$what;"
    done
    HANGPROOF_TEST_IMAGE=hangproof:trixie ci/pure-cgroup2.sh --load hangproof:trixie sh -ec "$tests"
else
    lacks "containers on a host of cgroup2 alone" "that needs root and the image hangproof:trixie, which ci/demo.sh makes"
fi

step tests
for what in "${skipped[@]}"; do
    printf '\033[1mSKIPPED %s\033[0m\n' "$what"
done
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
# Cargo's own summary stays the last that is said.
cargo test --locked --workspace 2>&1 | tee "$log"
passed=$(awk '/^test result: / { passed += $4 } END { print passed + 0 }' "$log")
[ -z "${CI:-}" ] || [ "$passed" -ge "$LEAST_TESTS" ] ||
    fail "$passed tests have passed, and there were $LEAST_TESTS already. Which are gone, or ignored, and why?"
