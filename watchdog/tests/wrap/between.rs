//! Between systemd and COMMAND: reloads, stops, and COMMAND's own pings.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped, sd_watchdog};

const OFTEN: [&str; 2] = ["--interval=20ms", "--timeout=3s"];

fn start(manager: &Manager, peer: &Peer, options: &[&str], command: &[&str]) -> Wrapped {
    let url = format!("--http={}", peer.url());
    Wrapped::start(manager, &[&[&*url], &OFTEN[..], options].concat(), command)
}

#[test]
fn a_reload_is_announced_before_it_reaches_the_command_and_ends_with_a_healthy_probe() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = "trap 'echo reloading' HUP; echo up; while :; do sleep 0.01; done";
    let wrapped = start(&manager, &peer, &[], &["sh", "-c", script]);
    wrapped.stdout_until("up");
    manager.receive_until("WATCHDOG=1");
    peer.set(Manner::Unavailable);
    wrapped.signal(Signal::HUP);
    wrapped.stdout_until("reloading");
    let announced = manager.receive_until("RELOADING=1").pop().unwrap();
    let usec = announced.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let age = now.tv_sec * 1_000_000 + now.tv_nsec / 1000 - usec.parse::<i64>().unwrap();
    assert!((0..60_000_000).contains(&age), "{usec} is CLOCK_MONOTONIC, {age} µs ago");
    let before = manager.drain();
    assert!(before.iter().all(|datagram| !datagram.starts_with("READY=1")), "{before:?}");
    peer.set(Manner::Healthy);
    assert!(manager.receive_until("READY=1").pop().unwrap().contains("WATCHDOG=1"));
    wrapped.stderr_until("reloaded, and healthy after ");
}

#[test]
fn a_reload_that_would_kill_the_command_is_refused_and_said() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    for (options, signal, name) in
        [(&[][..], Signal::HUP, "SIGHUP"), (&["--reload-signal=USR1"], Signal::USR1, "SIGUSR1")]
    {
        let wrapped = start(&manager, &peer, options, &FOREVER);
        manager.receive_until("WATCHDOG=1");
        wrapped.signal(signal);
        let said = manager.receive_until("RELOADING=1").pop().unwrap();
        assert!(said.contains("\nREADY=1\n"), "{said}");
        assert!(
            said.contains(&format!("STATUS=reload refused: COMMAND has no handler for {name}")),
            "{said}"
        );
        wrapped.stderr_until(&format!("{name} asks for a reload, and is not passed on"));
        manager.receive_until("WATCHDOG=1");
        wrapped.signal(Signal::TERM);
        assert_eq!(wrapped.end().0.signal(), Some(15));
        manager.drain();
    }
}

#[test]
fn what_has_a_command_reload_may_end_it_where_it_stops_or_nobody_asks_for_reloads() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let deaf = ["sh", "-c", "trap 'echo stopping' TERM; echo up; while :; do sleep 0.01; done"];
    let wrapped = start(&manager, &peer, &[], &deaf);
    wrapped.stdout_until("up");
    wrapped.signal(Signal::TERM);
    wrapped.stdout_until("stopping");
    // As SendSIGHUP=yes has it.
    wrapped.signal(Signal::HUP);
    assert_eq!(wrapped.end().0.signal(), Some(1));

    let wrapped = Wrapped::spawn(&mut sd_watchdog(&["--http=http://127.0.0.1:9/"], &deaf));
    wrapped.stdout_until("up");
    wrapped.signal(Signal::HUP);
    assert_eq!(wrapped.end().0.signal(), Some(1));
}

/// The two that may mean a stop, unless they are said to mean this.
#[test]
fn a_reload_can_be_asked_for_by_sigquit_or_sigint() {
    for (name, signal) in [("QUIT", Signal::QUIT), ("INT", Signal::INT)] {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
        let script = format!("trap 'echo reloading' {name}; echo up; while :; do sleep 0.01; done");
        let wrapped = start(&manager, &peer, &["--reload-signal", name], &["sh", "-c", &script]);
        wrapped.stdout_until("up");
        manager.receive_until("WATCHDOG=1");
        wrapped.signal(signal);
        wrapped.stdout_until("reloading");
        manager.receive_until("RELOADING=1");
    }
}

#[test]
fn without_a_reload_signal_it_is_a_signal_like_any_other() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = "trap 'echo hup' HUP; echo up; while :; do sleep 0.01; done";
    let wrapped = start(&manager, &peer, &["--reload-signal=none"], &["sh", "-c", script]);
    wrapped.stdout_until("up");
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::HUP);
    wrapped.stdout_until("hup");
    peer.wait_for_probes(3);
    assert!(manager.so_far().iter().all(|datagram| !datagram.contains("RELOADING")));
}

#[test]
fn a_further_stop_signal_stops() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let wrapped = start(&manager, &peer, &["--stop-signal=WINCH"], &FOREVER);
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::WINCH);
    let stopping = manager.receive_until("STOPPING=1").pop().unwrap();
    assert_eq!(
        stopping,
        "STOPPING=1\nSTATUS=stopping: COMMAND got SIGWINCH\nWATCHDOG_USEC=18446744073709551615"
    );
}

/// Pings at half of what it is told, as sd_watchdog_enabled(3) says, until it is asked to fall silent.
const PINGS: &str = r#"
import os, signal, socket
limit = int(os.environ["WATCHDOG_USEC"]) / 1e6
assert int(os.environ["WATCHDOG_PID"]) == os.getpid()
print(limit, flush=True)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
def ping(*_):
    notify.send(b"WATCHDOG=1")
signal.signal(signal.SIGALRM, ping)
signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_REAL, 0))
signal.setitimer(signal.ITIMER_REAL, limit / 2, limit / 2)
notify.send(b"READY=1")
while True:
    signal.pause()
"#;

#[test]
fn the_commands_own_pings_are_one_more_probe_where_they_are_required() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    // What a machine that stalls costs is less than half of W, and than the timeout.
    let options = [
        &*url,
        "--interval=200ms",
        "--timeout=2s",
        "--child-pings=require",
        "--failures=1",
        "--report-budget=0s",
    ];
    let wrapped = Wrapped::start_within(&manager, "4000000", &options, &["/usr/bin/python3", "-c", PINGS]);
    wrapped.stdout_until("4.0");
    manager.receive_until("WATCHDOG=1");
    // More than W goes by, in which only its own pings keep it healthy.
    let began = Instant::now();
    while began.elapsed() <= Duration::from_secs(4) {
        peer.wait_for_probes(1);
    }
    assert!(manager.so_far().iter().all(|datagram| !datagram.contains("trigger")));
    wrapped.signal(Signal::USR1);
    let trigger = manager.receive_until("WATCHDOG=trigger").pop().unwrap();
    assert!(trigger.contains("unhealthy: COMMAND: no WATCHDOG=1 of its own for 4"), "{trigger}");
}

#[test]
fn the_commands_own_pings_alone_will_do() {
    let manager = Manager::new();
    let options = ["--child-pings=require", "--failures=1", "--report-budget=0s"];
    let wrapped = Wrapped::start_within(&manager, "4000000", &options, &["/usr/bin/python3", "-c", PINGS]);
    wrapped.stdout_until("4.0");
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::USR1);
    manager.receive_until("WATCHDOG=trigger");
}

#[test]
fn a_signal_that_some_services_stop_by_and_others_do_not_is_passed_on_and_pings_go_on() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let script = "trap 'echo threads' QUIT; echo up; while :; do sleep 0.01; done";
    let wrapped = start(&manager, &peer, &[], &["sh", "-c", script]);
    wrapped.stdout_until("up");
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::QUIT);
    wrapped.stdout_until("threads");
    peer.wait_for_probes(2);
    let after = manager.so_far();
    assert!(after.iter().any(|datagram| datagram == "WATCHDOG=1"), "{after:?}");
    assert!(after.iter().all(|datagram| !datagram.contains("STOPPING")), "{after:?}");
}
