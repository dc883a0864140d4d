#!/usr/bin/env bash
# Looks at the page of hangproof in Debian's Chromium, as people do: live, with a real machine, and as a file. As root;
# `ci/setup.sh --browser` installs what that takes. Arguments are the test program's: ci/page.sh keyboard
# What was seen is left in target/page-pictures. `cargo test -p harness --test page` is the same, where the browser is installed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Both workspaces in one directory: a crate is built once, unless thirtyfour asks for more of its features, or uses one of which it
# does.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export HANGPROOF_TEST_TARGET=$CARGO_TARGET_DIR
cargo build --locked --quiet --package harness --package server --package watchdog
cargo test --locked --quiet --manifest-path harness/browser/Cargo.toml --test page -- "$@"
