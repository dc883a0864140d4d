#!/usr/bin/env bash
# Everything that must hold before a change lands. Run it as a contributor does: ci/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# A snapshot that changed is a failure here, not a new file.
export INSTA_UPDATE=no

step format
cargo fmt --all --check

step clippy
cargo clippy --workspace --all-targets -- -D warnings
cargo clippy --package watchdog --no-default-features -- -D warnings

step shell scripts
if command -v shellcheck >/dev/null; then
    git ls-files -z '*.sh' .ci/run docker/entrypoint | xargs -0 shellcheck
else
    echo "shellcheck is not installed: skipped (ci/setup.sh installs it)"
fi

step documentation
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

step the benchmarks still run
cargo test -p harness --bench machines --quiet
cargo test -p watchdog --bench guarding --quiet

if docker image inspect hangproof:trixie >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    step containers where the host has nothing but cgroup2
    cargo test -p harness --test machines --no-run --quiet
    HANGPROOF_TEST_IMAGE=hangproof:trixie ci/pure-cgroup2.sh --load hangproof:trixie \
        cargo test -p harness --test machines --quiet -- docker::
fi

step tests
cargo test --workspace
