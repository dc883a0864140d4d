#!/usr/bin/env bash
# Whether each crate is whole by itself: packages all of them and builds what was packaged.
# The crates' names belong to others on crates.io, so `publish = false` keeps these from there. Cargo packages no crate that
# depends on one which is kept: it is tried with a copy.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
copy=$(mktemp --directory)
profile=$(mktemp --suffix .toml)
trap 'rm -rf -- "$copy" "$profile"' EXIT
git ls-files -z | tar --create --null --files-from=- | tar --extract --directory "$copy"
# What is packaged has no profile. Built with that of the workspace, it takes the dependencies that have been built already.
awk '/^\[/ { dev = /^\[profile\.dev/ } dev' Cargo.toml >"$profile"
cd "$copy"
sed -i '/^publish = false$/d; s/^publish\.workspace = true$//' Cargo.toml {server,watchdog,harness}/Cargo.toml
cargo package --quiet --locked --workspace --allow-dirty --config "$profile"
