#!/usr/bin/env bash
# Makes README.md's pictures from real runs: the page of `hangproof demo` while a service hangs and comes back, and a report. As
# root; ci/setup.sh --browser installs what that takes.
#
#     ci/pictures.sh                # into docs/pictures
#     ci/pictures.sh DIRECTORY      # into another, of any size: what ci/check.sh does
set -euo pipefail
cd "$(dirname "$0")/.."

ours=docs/pictures
into=${1:-$ours}
seen=${CARGO_TARGET_DIR:-$PWD/target}/page-pictures
# A repository is no place for big files: bytes, of each. How many pictures a film has depends on the computer, so that this is no
# matter of whether they can be made.
MOST=300000
# How long the last picture of the film stays, in milliseconds.
LAST=3000

fail() {
    echo "pictures.sh: $*" >&2
    exit 1
}

command -v img2webp >/dev/null || fail "img2webp is not installed: ci/setup.sh --browser"
rm -rf -- "$seen/film" "$seen/readme-report.png"
# The test program takes one name at a time.
ci/page.sh --exact a_fault_that_is_pressed_hangs_the_service_and_it_comes_back_within_the_bound
ci/page.sh --exact a_report_from_a_file_shows_its_verdicts_and_asks_for_nothing
[ -d "$seen/film" ] || fail "no pictures: what was it that kept the browser or the machine from being there?"

# Each picture has for its name when it was taken, and is shown until the next.
frames=()
pictures=("$seen"/film/*.png)
for place in "${!pictures[@]}"; do
    at=$(basename "${pictures[place]}" .png)
    until=$(basename "${pictures[place + 1]:-}" .png)
    length=$([ -z "$until" ] && echo "$LAST" || echo $((10#$until - 10#$at)))
    frames+=(-d "$length" "${pictures[place]}")
done
mkdir -p "$into"
img2webp -loop 0 -lossy -q 60 -m 6 "${frames[@]}" -o "$into/demo.webp" >/dev/null
cwebp -quiet -q 80 -m 6 "$seen/readme-report.png" -o "$into/report.webp"

for picture in "$into"/{demo,report}.webp; do
    size=$(stat --format %s "$picture")
    [ "$into" != "$ours" ] || [ "$size" -le "$MOST" ] || fail "$picture has $size bytes, which are more than $MOST"
    echo "$picture: $size bytes"
done
