#!/bin/sh
# Puts sd-watchdog, its units, manual pages and completions on this host or into a package, or takes them off again.
# `--help` says how.
set -eu
# What is installed is for everybody, whatever the umask of who installs it.
umask 022

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr/local}
root=$DESTDIR$PREFIX

usage() {
    cat <<EOF
Usage: install.sh [--uninstall | --help]

Puts the program sd-watchdog, the unit sd-watchdog@.service, manual pages and
completions for bash, zsh and fish under PREFIX. Run it again at any time: what
has not changed is left alone.

  --uninstall   remove what was installed
  --help        show this

Environment:
  PREFIX        where all goes; a package wants /usr  [default: /usr/local]
  DESTDIR       put before every path, to fill an image or a package
  BINDIR        where the program is taken from       [default: next to this
                script, then ../target/dist]
  NATIVE        a sd-watchdog that runs here, to make manual pages and
                completions with                      [default: that program]
EOF
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# Whether there is a systemd to talk to: this host's, that is, not an image's.
on_live_system() {
    [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]
}

check_paths() {
    case $PREFIX in /*) ;; *) fail "PREFIX must be an absolute path, not '$PREFIX'" ;; esac
    # The unit names the program by path, and in a unit these characters would mean something else.
    case $PREFIX in *[!A-Za-z0-9/._+-]*) fail "PREFIX must be made of letters, digits and / . _ + -" ;; esac
}

check_rights() {
    if [ -z "$DESTDIR" ]; then
        [ "$(id -u)" -eq 0 ] || fail "must run as root (try: sudo $0), or with DESTDIR set to a directory of yours"
    elif [ -e "$DESTDIR" ]; then
        { [ -d "$DESTDIR" ] && [ -w "$DESTDIR" ]; } || fail "cannot write to DESTDIR '$DESTDIR'"
    fi
}

find_program() {
    for from in "${BINDIR:-$here}" "${BINDIR:-$here/../target/dist}"; do
        if [ -f "$from/sd-watchdog" ] && [ -x "$from/sd-watchdog" ]; then
            echo "$from/sd-watchdog"
            return
        fi
    done
    fail "cannot find the program sd-watchdog in ${BINDIR:-$here or $here/../target/dist}.
Build it first, as an ordinary user: cargo build --profile dist -p watchdog"
}

# Fills the directory $2 with all that is to be installed, as it is to lie under PREFIX.
stage() {
    native=${NATIVE:-$1}
    mkdir -p -- "$2/bin" "$2/lib/systemd/system" "$2/share/man/man1" "$2/share/bash-completion/completions" \
        "$2/share/zsh/site-functions" "$2/share/fish/vendor_completions.d" "$2/share/doc/sd-watchdog/examples"
    cp -- "$1" "$2/bin/sd-watchdog"
    for unit in "$here"/units/*.service; do
        [ -e "$unit" ] || continue
        sed "s|^ExecStart=sd-watchdog |ExecStart=$PREFIX/bin/sd-watchdog |" "$unit" >"$2/lib/systemd/system/${unit##*/}"
    done
    for example in "$here"/units/*.example; do
        [ -e "$example" ] || continue
        cp -- "$example" "$2/share/doc/sd-watchdog/examples/"
    done
    for text in "$here/README.md" "$here/../CHANGELOG.md" "$here/../LICENSE-APACHE" "$here/../LICENSE-MIT"; do
        [ -e "$text" ] || continue
        cp -- "$text" "$2/share/doc/sd-watchdog/"
    done
    "$native" man "$2/share/man/man1"
    "$native" completions bash >"$2/share/bash-completion/completions/sd-watchdog"
    "$native" completions zsh >"$2/share/zsh/site-functions/_sd-watchdog"
    "$native" completions fish >"$2/share/fish/vendor_completions.d/sd-watchdog.fish"
}

# Installs the file $1 as $2 with mode $3, and says what it did. A running program cannot be overwritten (ETXTBSY), but
# its name can be given to another file, in one step, so that nobody ever finds half a program.
put() {
    if cmp -s -- "$1" "$2" && [ "$(stat -c %a -- "$2")" = "$3" ]; then
        echo "unchanged  $2"
        return
    fi
    mkdir -p -- "$(dirname -- "$2")"
    new=$2.new.$$
    cp -- "$1" "$new"
    chmod "$3" "$new"
    mv -f -- "$new" "$2"
    new=''
    echo "installed  $2"
}

install_all() {
    # All is made before anything is changed: either everything is installed or nothing.
    program=$(find_program)
    staged=$(mktemp -d)
    stage "$program" "$staged"
    # None of these names has a blank in it.
    for file in $(cd "$staged" && find . -type f | sort); do
        file=${file#./}
        case $file in bin/*) mode=755 ;; *) mode=644 ;; esac
        put "$staged/$file" "$root/$file" "$mode"
    done
    if on_live_system; then
        systemctl daemon-reload
        echo "Services that run under sd-watchdog take the new one when they are restarted."
    fi
}

uninstall_all() {
    for file in bin/sd-watchdog lib/systemd/system/sd-watchdog@.service \
        share/bash-completion/completions/sd-watchdog share/zsh/site-functions/_sd-watchdog \
        share/fish/vendor_completions.d/sd-watchdog.fish share/doc/sd-watchdog/examples/sd-watchdog.env.example \
        share/doc/sd-watchdog/README.md share/doc/sd-watchdog/CHANGELOG.md \
        share/doc/sd-watchdog/LICENSE-APACHE share/doc/sd-watchdog/LICENSE-MIT \
        share/man/man1/sd-watchdog.1 share/man/man1/sd-watchdog-check.1 share/man/man1/sd-watchdog-guard.1 \
        share/man/man1/sd-watchdog-unit.1; do
        if [ -e "$root/$file" ]; then
            rm -f -- "$root/$file"
            echo "removed    $root/$file"
        else
            echo "not there  $root/$file"
        fi
    done
    rmdir -- "$root/share/doc/sd-watchdog/examples" "$root/share/doc/sd-watchdog" 2>/dev/null || true
    if on_live_system; then
        systemctl daemon-reload
    fi
}

new='' staged=''
trap 'rm -rf -- ${new:+"$new"} ${staged:+"$staged"}' EXIT
trap 'exit 1' HUP INT TERM

action=install_all
for option in "$@"; do
    case $option in
    --uninstall) action=uninstall_all ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; echo "install.sh: unknown option '$option'" >&2; exit 2 ;;
    esac
done
check_paths
check_rights
"$action"
