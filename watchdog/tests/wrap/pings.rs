//! READY, pings, withholding, triggering.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped, sd_watchdog};

/// Probes often, and is patient with a busy machine: only what the peer does makes a probe unhealthy.
const OFTEN: [&str; 3] = ["--interval=10ms", "--timeout=3s", "--retry-interval=10ms"];

fn start(manager: &Manager, peer: &Peer, options: &[&str]) -> Wrapped {
    let url = format!("--http={}", peer.url());
    Wrapped::start(manager, &[&[&*url], &OFTEN[..], options].concat(), &FOREVER)
}

fn count(datagrams: &[String], words: &str) -> usize {
    datagrams.iter().filter(|datagram| datagram.contains(words)).count()
}

#[test]
fn ready_comes_only_after_a_healthy_probe_and_the_status_says_what_is_waited_for() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Unavailable));
    let _wrapped = start(&manager, &peer, &[]);
    peer.wait_for_probes(3);
    peer.set(Manner::Healthy);
    let datagrams = manager.receive_until("READY=1");
    let (ready, before) = datagrams.split_last().unwrap();
    assert!(ready.starts_with(&format!("READY=1\nSTATUS=healthy: {} answered in ", peer.url())), "{ready}");
    assert_eq!(before[0], format!("STATUS=waiting for {}: status 503", peer.url()));
    assert_eq!(count(before, "WATCHDOG="), 0);
}

#[test]
fn an_abstract_notify_socket_will_do() {
    let (manager, peer) = (Manager::at_abstract_address("ready"), Peer::new(Manner::Healthy));
    let _wrapped = start(&manager, &peer, &[]);
    manager.receive_until("READY=1");
    manager.receive_until("WATCHDOG=1");
}

#[test]
fn there_is_never_a_ping_without_a_healthy_probe_of_its_own() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let wrapped = start(&manager, &peer, &["--on-hang=withhold"]);
    manager.receive_until("READY=1");
    let mut pings = 0;
    for _ in 0..3 {
        peer.set(Manner::Healthy);
        pings += count(&manager.receive_until("WATCHDOG=1"), "WATCHDOG=1");
        peer.wait_for_probes(3);
        peer.set(Manner::Unavailable);
        peer.wait_for_probes(3);
    }
    wrapped.signal(Signal::TERM);
    pings += count(&manager.receive_until("STOPPING=1"), "WATCHDOG=1");
    // The first healthy answer was worth READY.
    assert!(pings < peer.served().healthy, "{pings} pings, {:?}", peer.served());
}

#[test]
fn a_hang_triggers_once_after_the_failures_with_the_reason_in_the_same_datagram() {
    let triggers = |failures, manner, reason| {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
        let options = [format!("--failures={failures}"), format!("--http={}", peer.url())];
        let timing = ["--timeout=1s", "--interval=10ms", "--retry-interval=10ms", &options[0], &options[1]];
        let wrapped = Wrapped::start(&manager, &timing, &FOREVER);
        manager.receive_until("READY=1");
        peer.set(manner);
        let trigger = manager.receive_until("WATCHDOG=trigger").pop().unwrap();
        let counted = trigger.strip_prefix("STATUS=hung, ").and_then(|rest| rest.split(' ').next());
        let counted: usize = counted.and_then(|count| count.parse().ok()).expect(&trigger);
        // A probe that times out may be taken by the peer only after that.
        peer.wait_until(|served| served.other >= counted);
        let served = peer.served().other;
        // A probe that fails at once is repeated for as long as those would take that run into their deadlines.
        assert!(
            if manner == Manner::Unavailable { served >= failures } else { served == failures },
            "{served}"
        );
        let probes = if served == 1 { "probe" } else { "probes" };
        let expected = format!(
            "STATUS=hung, {served} {probes} in a row unhealthy: {}: {reason}\nWATCHDOG=trigger",
            peer.url()
        );
        assert_eq!(trigger, expected);
        wrapped.signal(Signal::TERM);
        wrapped.end();
        assert_eq!((manager.drain(), peer.served().other), (Vec::<String>::new(), served), "nothing after");
    };
    std::thread::scope(|scope| {
        for (failures, manner, reason) in [
            (1, Manner::Unavailable, "status 503"),
            (4, Manner::Unavailable, "status 503"),
            (2, Manner::Mute, "no answer in 1 s after the request was sent"),
            (2, Manner::Stuck, "answer incomplete after 1 s"),
        ] {
            scope.spawn(move || triggers(failures, manner, reason));
        }
    });
}

#[test]
fn withholding_never_triggers_stops_pinging_and_resumes() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let _wrapped = start(&manager, &peer, &["--on-hang=withhold"]);
    manager.receive_until("WATCHDOG=1");
    peer.set(Manner::Unavailable);
    peer.wait_for_probes(5);
    manager.drain();
    peer.wait_for_probes(5);
    let unhealthy = manager.drain();
    assert_eq!(count(&unhealthy, "WATCHDOG="), 0, "{unhealthy:?}");
    peer.set(Manner::Healthy);
    let resumed = manager.receive_until("WATCHDOG=1");
    assert_eq!(count(&resumed, "trigger"), 0);
}

#[test]
fn nothing_pings_after_stopping_though_the_service_still_answers() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let draining = r"trap 'echo draining; sleep 0.3; exit 3' TERM; echo up; while :; do sleep 0.02; done";
    let options = [&[&*url], &OFTEN[..]].concat();
    let wrapped = Wrapped::start(&manager, &options, &["sh", "-c", draining]);
    wrapped.stdout_until("up");
    manager.receive_until("WATCHDOG=1");
    wrapped.signal(Signal::TERM);
    let stopping = manager.receive_until("STOPPING=1").pop().unwrap();
    assert_eq!(
        stopping,
        "STOPPING=1\nSTATUS=stopping: COMMAND got SIGTERM\nWATCHDOG_USEC=18446744073709551615"
    );
    wrapped.stdout_until("draining");
    let (status, ..) = wrapped.end();
    assert_eq!(status.code(), Some(3));
    assert_eq!(manager.drain(), ["STATUS=COMMAND exited with code 3"]);
}

#[test]
fn without_a_watchdog_it_says_ready_warns_once_and_probes_no_more() {
    for (name, value) in [("WATCHDOG_USEC", "0"), ("NOTHING", ""), ("WATCHDOG_PID", "1")] {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
        let url = format!("--http={}", peer.url());
        let mut program = sd_watchdog(&[&url], &FOREVER);
        program.env("NOTIFY_SOCKET", &manager.address);
        if name == "WATCHDOG_PID" {
            program.env("WATCHDOG_USEC", "100000");
        }
        let wrapped = Wrapped::spawn(program.env(name, value));
        manager.receive_until("READY=1");
        assert_eq!(manager.drain(), Vec::<String>::new());
        assert_eq!(peer.served().healthy, 1);
        wrapped.signal(Signal::TERM);
        manager.receive_until("STOPPING=1");
        let (_, _, log) = wrapped.end();
        assert_eq!(count(&log, "runs unguarded"), 1, "{log:?}");
    }
}

#[test]
fn a_full_notify_socket_holds_nothing_up_and_loses_no_ready() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let stuffing = UnixDatagram::unbound().unwrap();
    stuffing.set_nonblocking(true).unwrap();
    let full = loop {
        if let Err(error) = stuffing.send_to(b"STUFFING=1", &manager.address) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let _wrapped = start(&manager, &peer, &[]);
    peer.wait_for_probes(10);
    let datagrams = manager.receive_until("READY=1");
    assert!(datagrams[0].contains("STUFFING"));
    manager.receive_until("WATCHDOG=1");
}

#[test]
fn a_notify_socket_that_goes_away_is_warned_of_once_and_the_service_runs_on() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let wrapped = start(&manager, &peer, &[]);
    manager.receive_until("READY=1");
    manager.vanish();
    wrapped.stderr_until("systemd cannot be notified at");
    peer.wait_for_probes(5);
    wrapped.signal(Signal::TERM);
    let (_, _, log) = wrapped.end();
    assert_eq!(count(&log, "cannot be notified"), 0, "{log:?}");
}

#[test]
fn ready_and_the_trigger_are_said_as_soon_as_somebody_is_there_to_hear_them() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let away = manager.go_away();
    let wrapped = start(&away, &peer, &["--failures=1"]);
    wrapped.stderr_until("systemd cannot be notified at");
    wrapped.stderr_until("ready after");
    let manager = away.come_back();
    manager.receive_until("READY=1");
    manager.receive_until("WATCHDOG=1");
    let away = manager.go_away();
    peer.set(Manner::Unavailable);
    wrapped.stderr_until("asking systemd to restart the service");
    away.come_back().receive_until("WATCHDOG=trigger");
}

#[test]
fn ready_comes_within_milliseconds_of_the_service() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let _wrapped = start(&manager, &peer, &[]);
    assert_eq!(manager.receive_until("READY=1").len(), 1, "the very first probe finds it");
    assert!(manager.receive_within(Duration::from_secs(10)).is_some());
}
