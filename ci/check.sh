#!/usr/bin/env bash
# Everything that must hold before a change lands. Run it as a contributor does: ci/check.sh
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

step format
cargo fmt --all --check

step clippy
cargo clippy --workspace --all-targets -- -D warnings

step shell scripts
if command -v shellcheck >/dev/null; then
    git ls-files -z '*.sh' '.ci/run' | xargs -0 shellcheck
else
    echo "shellcheck is not installed: skipped (ci/setup.sh installs it)"
fi

step documentation
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --quiet

step the benchmark still runs
cargo test -p harness --bench machines --quiet

step tests
# A snapshot that changed is a failure here, not a new file.
INSTA_UPDATE=no cargo test --workspace
