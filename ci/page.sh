#!/usr/bin/env bash
# Looks at the page of hangproof in Debian's Chromium, as people do: live, with a real machine, and as a file. As root;
# `ci/setup.sh --browser` installs what that takes. Arguments are the test program's: ci/page.sh keyboard
# What was seen is left in target/page-pictures.
set -euo pipefail
cd "$(dirname "$0")/.."

export HANGPROOF_TEST_TARGET=${CARGO_TARGET_DIR:-$PWD/target}
cargo build --locked --quiet --package harness --package server --package watchdog
# A target directory of its own, whose crates have other features.
CARGO_TARGET_DIR=$HANGPROOF_TEST_TARGET/browser cargo test --locked --quiet --manifest-path harness/browser/Cargo.toml \
    --test page -- "$@"
