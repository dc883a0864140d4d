#!/usr/bin/env bash
# Changes the pure half of hangproof, one small change after another (.cargo/mutants.toml), and fails where no test notices.
#
#     ci/mutants.sh                  # all, for hours
#     ci/mutants.sh 3/60             # the fourth of sixty parts: they are counted from 0
#     ci/mutants.sh head             # the part of this commit, in about 2 minutes: what ci/check.sh runs
#     ci/mutants.sh --re model/soundness    # those of a file on the list, or whatever else `cargo mutants` takes
#
# The sources are left alone: a copy of them in target/mutants is changed. What came of each change is below mutants.out there.
set -euo pipefail
cd "$(dirname "$0")/.."

# A part takes about 2 minutes on two CPUs: some 10 seconds for each change, and 30 for the copy. Goes up with the files.
PARTS=60

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# Each change is a further build of the same crate.
export CARGO_INCREMENTAL=1
copy=$CARGO_TARGET_DIR/mutants

# Commits take turns; in a clone without history their names do.
part_of_head() {
    local number
    if [ "$(git rev-parse --is-shallow-repository)" = false ]; then
        number=$(git rev-list --count HEAD)
    else
        number=$((0x$(git rev-parse HEAD | head -c 8)))
    fi
    echo "$((number % PARTS))/$PARTS"
}

options=()
case ${1:-} in
head) options+=(--sharding round-robin --shard "$(part_of_head)") && shift ;;
[0-9]*/[0-9]*) options+=(--sharding round-robin --shard "$1") && shift ;;
esac

# A file keeps its time, so that cargo builds again only what has changed; none stays that is gone.
mkdir -p "$copy/tree"
find "$copy/tree" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +
git ls-files -z --cached --others --exclude-standard |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar --create --null --no-recursion --files-from=- | tar --extract --directory "$copy/tree"

# A run that was cut off has left a change that was built, and is newer than the file that is there again.
[ ! -e "$copy/cut-off" ] || find "$copy/tree" -name '*.rs' -exec touch -- {} +
: >"$copy/cut-off"

# A test that a change makes endless is stopped, and is not missed: cargo-mutants' own word for that is a failure.
status=0
cargo mutants --dir "$copy/tree" --output "$copy" --in-place --no-shuffle --colors never \
    ${options[@]+"${options[@]}"} "$@" || status=$?
rm -f "$copy/cut-off"
case $status in
0) ;;
3) [ ! -s "$copy/mutants.out/missed.txt" ] ;;
*) exit "$status" ;;
esac
