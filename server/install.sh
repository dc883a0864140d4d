#!/bin/sh
# Puts buggy_server, sd-watchdog and the unit on this host, or takes them off again. `--help` says how.
set -eu
# What is installed is for everybody, whatever the umask of who installs it.
umask 022

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr/local}
bin=$DESTDIR$PREFIX/bin
units=$DESTDIR/etc/systemd/system
service=buggy_server.service
programs='buggy_server sd-watchdog'

usage() {
    cat <<EOF
Usage: install.sh [--uninstall | --help]

Puts the programs buggy_server and sd-watchdog into PREFIX/bin and the unit
$service into /etc/systemd/system. Run it again at any time: what has
not changed is left alone.

  --uninstall   stop the service and remove what was installed
  --help        show this

Environment:
  PREFIX        where the programs go               [default: /usr/local]
  DESTDIR       put before every path, to fill an image or a package
  BINDIR        where the programs are taken from   [default: next to this
                script, then ../target/dist]
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
    # The unit names the programs by path, and in a unit these characters would mean something else.
    case $PREFIX in *[!A-Za-z0-9/._+-]*) fail "PREFIX must be made of letters, digits and / . _ + -" ;; esac
}

check_rights() {
    if [ -z "$DESTDIR" ]; then
        [ "$(id -u)" -eq 0 ] || fail "must run as root (try: sudo $0), or with DESTDIR set to a directory of yours"
    elif [ -e "$DESTDIR" ]; then
        { [ -d "$DESTDIR" ] && [ -w "$DESTDIR" ]; } || fail "cannot write to DESTDIR '$DESTDIR'"
    fi
}

# Prints where the program $1 is.
find_program() {
    for from in "${BINDIR:-$here}" "${BINDIR:-$here/../target/dist}"; do
        if [ -f "$from/$1" ] && [ -x "$from/$1" ]; then
            echo "$from/$1"
            return
        fi
    done
    fail "cannot find the program $1 in ${BINDIR:-$here or $here/../target/dist}.
Build it first, as an ordinary user: cargo build --profile dist -p watchdog && cargo build --profile dist -p server"
}

# Installs the file $1 as $2 with mode $3, and says what it did. A running program cannot be overwritten (ETXTBSY), but
# its name can be given to another file, in one step, so that nobody ever finds half a program.
put() {
    if cmp -s -- "$1" "$2" && [ "$(stat -c %a -- "$2")" = "$3" ]; then
        echo "unchanged  $2"
        return
    fi
    new=$2.new.$$
    cp -- "$1" "$new"
    chmod "$3" "$new"
    mv -f -- "$new" "$2"
    new=''
    echo "installed  $2"
}

install_all() {
    # Found before anything is changed: either everything is installed or nothing.
    for program in $programs; do
        find_program "$program" >/dev/null
    done
    [ -f "$here/$service" ] || fail "cannot find $service in $here"
    mkdir -p -- "$bin" "$units"
    for program in $programs; do
        put "$(find_program "$program")" "$bin/$program" 755
    done
    unit=$(mktemp)
    sed "s|/usr/local/bin/|$PREFIX/bin/|g" "$here/$service" >"$unit"
    put "$unit" "$units/$service" 644
    if on_live_system; then
        systemctl daemon-reload
        if systemctl --quiet is-active "$service"; then
            echo "It runs already; to run what was installed: systemctl restart buggy_server"
        else
            echo "Start it now and at every boot:  systemctl enable --now buggy_server"
        fi
        echo "Watch it hang and come back:     journalctl --follow --unit buggy_server"
    else
        echo "On the machine itself, start it now and at every boot:  systemctl enable --now buggy_server"
    fi
}

uninstall_all() {
    if on_live_system && [ -e "$units/$service" ]; then
        systemctl --quiet disable --now "$service"
    fi
    for file in "$units/$service" "$bin/buggy_server" "$bin/sd-watchdog"; do
        if [ -e "$file" ]; then
            rm -f -- "$file"
            echo "removed    $file"
        else
            echo "not there  $file"
        fi
    done
    if on_live_system; then
        systemctl daemon-reload
        # Or a failed service would be listed for ever.
        systemctl --quiet reset-failed "$service" 2>/dev/null || true
    fi
}

new='' unit=''
trap 'rm -f -- ${new:+"$new"} ${unit:+"$unit"}' EXIT
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
