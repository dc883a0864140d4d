//! Signals reach COMMAND, once.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{Wrapped, sd_watchdog};

/// Says which signals it got.
const LISTENER: &str = r#"
    for name in TERM INT HUP QUIT USR1 USR2 WINCH CONT ABRT ALRM URG PROF VTALRM XCPU XFSZ IO PWR; do
        trap "echo got $name" $name
    done
    echo up
    while :; do sleep 0.01; done"#;

const NOWHERE: &str = "--http=http://127.0.0.1:9/";

#[test]
fn every_signal_that_can_be_caught_is_passed_on() {
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["sh", "-c", LISTENER]);
    wrapped.stdout_until("up");
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
        (Signal::CONT, "CONT"),
        (Signal::ALARM, "ALRM"),
        (Signal::URG, "URG"),
        (Signal::PROF, "PROF"),
        (Signal::VTALARM, "VTALRM"),
        (Signal::XCPU, "XCPU"),
        (Signal::XFSZ, "XFSZ"),
        (Signal::IO, "IO"),
        (Signal::POWER, "PWR"),
        (Signal::ABORT, "ABRT"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::TERM, "TERM"),
    ] {
        wrapped.signal(signal);
        let before = wrapped.stdout_until(&format!("got {name}"));
        assert_eq!(before, Vec::<String>::new(), "each signal comes once");
    }
}

#[test]
fn stop_signals_are_announced_and_others_are_not() {
    for (signal, expected) in [
        (Signal::TERM, Some("STOPPING=1\nSTATUS=stopping: COMMAND got SIGTERM")),
        (Signal::INT, Some("STOPPING=1\nSTATUS=stopping: COMMAND got SIGINT")),
        (Signal::QUIT, Some("STOPPING=1\nSTATUS=stopping: COMMAND got SIGQUIT")),
        (Signal::ABORT, Some("STATUS=stopping: COMMAND got SIGABRT")),
        (Signal::HUP, None),
    ] {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
        let url = format!("--http={}", peer.url());
        let wrapped = Wrapped::start(&manager, &[&url], &["sh", "-c", LISTENER]);
        wrapped.stdout_until("up");
        manager.receive_until("READY=1");
        wrapped.signal(signal);
        wrapped.stdout_until("got");
        let said = manager.drain().into_iter().find(|datagram| datagram.contains("stopping"));
        assert_eq!(said.as_deref(), expected);
    }
}

#[test]
fn an_abort_from_the_manager_reaches_the_command_and_is_waited_for() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let dump = r"trap 'echo dumping; sleep 0.1; exit 4' ABRT; echo up; while :; do sleep 0.01; done";
    let wrapped = Wrapped::start(&manager, &[&url, "--failures=1"], &["sh", "-c", dump]);
    wrapped.stdout_until("up");
    manager.receive_until("READY=1");
    peer.set(Manner::Unavailable);
    manager.receive_until("WATCHDOG=trigger");
    wrapped.signal(Signal::ABORT);
    wrapped.signal(Signal::CONT);
    let (status, stdout, _) = wrapped.end();
    assert_eq!((status.code(), stdout), (Some(4), vec!["dumping".to_owned()]));
}

#[test]
fn ctrl_c_at_a_terminal_reaches_the_command_exactly_once() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let stdin = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let program = sd_watchdog(&[NOWHERE, "-v"], &["sh", "-c", LISTENER]);
    let mut on_terminal = Command::new("setsid");
    on_terminal.arg("--ctty").arg(program.get_program()).args(program.get_args()).stdin(stdin);
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        on_terminal.env_remove(name);
    }
    let wrapped = Wrapped::spawn_as_it_is(&mut on_terminal);
    wrapped.stdout_until("up");
    std::fs::File::from(terminal.try_clone().unwrap()).write_all(b"\x03").unwrap();
    wrapped.stdout_until("got INT");
    // Signals to one process stay in order here: a second SIGINT would be heard of before this.
    wrapped.signal(Signal::USR1);
    assert_eq!(wrapped.stdout_until("got USR1"), Vec::<String>::new());
}

#[test]
fn a_real_time_signal_is_refused_in_the_log_and_harms_nobody() {
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["sh", "-c", LISTENER]);
    wrapped.stdout_until("up");
    let pid = wrapped.pid().as_raw_nonzero().to_string();
    assert!(Command::new("sh").args(["-c", &format!("kill -40 {pid}")]).status().unwrap().success());
    wrapped.stderr_until("signal 40 cannot be passed on to COMMAND");
    wrapped.signal(Signal::USR1);
    wrapped.stdout_until("got USR1");
}
