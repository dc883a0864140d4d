#!/usr/bin/env python3
"""Whether `cargo test --workspace` takes all that `cargo run -p harness` and hangproof itself have built.

Cargo builds a crate anew for every other set of features that somebody asks of it. harness/Cargo.toml tells how that is
kept from happening. Builds what is not built yet; cargo's own lines go to stderr.
"""

import json
import subprocess
import sys

# As README.md has them, and as harness/src/programs.rs calls cargo.
FIRST = ["build", "--package", "harness"]
PROGRAMS = [*FIRST, "--package", "server", "--package", "watchdog", "--bin", "buggy_server", "--bin", "sd-watchdog"]
SECOND = ["test", "--workspace", "--no-run"]


def libraries(command, options):
    """The files of the libraries that this call of cargo is content with, each with its package."""
    call = ["cargo", *command, "--locked", "--message-format", "json-render-diagnostics", *options]
    lines = subprocess.run(call, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()
    artifacts = [message for message in map(json.loads, lines) if message["reason"] == "compiler-artifact"]
    return {
        name: artifact["package_id"].rpartition("/")[2]
        for artifact in artifacts
        if not artifact["profile"]["test"]
        for name in artifact["filenames"]
        if name.endswith((".rmeta", ".so"))
    }


def main(options):
    first = libraries(FIRST, options) | libraries(PROGRAMS, options)
    second = libraries(SECOND, options)
    wasted = sorted(package for name, package in first.items() if name not in second)
    if not first or wasted:
        print("built for `cargo run -p harness` and again for `cargo test --workspace`:", *wasted, sep="\n  ")
        return 1
    print(f"{len(first)} of the {len(second)} libraries that the tests need were there")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
