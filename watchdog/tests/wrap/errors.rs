//! The kernel refuses what the loop itself needs: it is said, and lived with as far as that goes.

use std::process::Command;
use std::time::Duration;

use nix::libc;
use rustix::process::Signal;

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped, sd_watchdog};

/// Executes the rest of its command line with a system call that fails, for it and all that it starts: where the third
/// argument has a certain value, or always.
const REFUSE: &str = r#"
import ctypes, os, struct, sys
number, third, errno = (int(word) for word in sys.argv[1:4])
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
code = [(LOAD, 0, 0, 0), (EQUAL, 0, 3 if third else 1, number)]
if third:
    code += [(LOAD, 0, 0, 32), (EQUAL, 0, 1, third)]
code += [(RETURN, 0, 0, 0x50000 | errno), (RETURN, 0, 0, 0x7fff0000)]
filter = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(filter))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execvp(sys.argv[4], sys.argv[4:])
"#;

/// `sd-watchdog` with such a call.
fn start(manager: &Manager, peer: &Peer, call: (i64, usize, i32), command: &[&str]) -> Wrapped {
    let url = format!("--http={}", peer.url());
    let inner = sd_watchdog(&[&url, "--interval=50ms", "--timeout=5s"], command);
    let (number, third, errno) = call;
    let mut program = Command::new("/usr/bin/python3");
    program.args(["-c", REFUSE, &number.to_string(), &third.to_string(), &errno.to_string()]);
    program.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    program.env("NOTIFY_SOCKET", &manager.address).env("WATCHDOG_USEC", "20000000");
    Wrapped::spawn(&mut program)
}

#[test]
fn pings_go_on_where_the_relay_cannot_be_read() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let says = r#"
        python3 -c 'import os, socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(
            b"STATUS=a", os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))'
        echo said
        exec sleep 1000"#;
    let refused = (libc::SYS_recvmsg, 0, libc::ENOMEM);
    let wrapped = start(&manager, &peer, refused, &["sh", "-c", says]);
    wrapped.stdout_until("said");
    wrapped.stderr_until("cannot read what COMMAND says to systemd: Cannot allocate memory");
    for _ in 0..20 {
        manager.receive_until("WATCHDOG=1");
    }
    wrapped.signal(Signal::TERM);
    manager.receive_until("STOPPING=1");
    let (_, _, log) = wrapped.end();
    assert!(!log.iter().any(|line| line.contains("cannot read")), "said once: {log:?}");
}

/// What is read of a signalfd is of that size, and nothing else is.
const SIGNAL: usize = size_of::<libc::signalfd_siginfo>();

#[test]
fn pings_go_on_where_signals_cannot_be_read_and_the_end_of_the_command_is_seen() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let refused = (libc::SYS_read, SIGNAL, libc::EIO);
    let wrapped = start(&manager, &peer, refused, &["sh", "-c", "read line; exit 7"]);
    // Its input is at its end: it has ended before long, with whatever it said of it.
    let (status, _, log) = wrapped.end();
    assert_eq!(status.code(), Some(7), "{log:?}");

    // The first may have said READY=1 as well.
    let manager = Manager::new();
    let wrapped = start(&manager, &peer, refused, &FOREVER);
    manager.receive_until("READY=1");
    wrapped.signal(Signal::USR1);
    for _ in 0..20 {
        manager.receive_until("WATCHDOG=1");
    }
    let log: Vec<String> = std::iter::from_fn(|| wrapped.stderr_within(Duration::from_millis(10))).collect();
    let said = log.iter().filter(|line| line.contains("cannot read the signals that were sent"));
    assert_eq!(said.count(), 1, "{log:?}");
}

#[test]
fn the_end_of_the_command_is_seen_where_other_children_cannot_be_waited_for() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let refused = (libc::SYS_waitid, 0, libc::EIO);
    let wrapped = start(&manager, &peer, refused, &["sh", "-c", "(sleep 0.3 &); sleep 0.6; exit 7"]);
    let (status, _, log) = wrapped.end();
    assert_eq!(status.code(), Some(7), "{log:?}");
    let said = log.iter().filter(|line| line.contains("cannot wait for the children that have ended"));
    assert_eq!(said.count(), 1, "{log:?}");
}
