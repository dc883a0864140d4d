//! Sets of probes behind `--next`, each by itself.

use rustix::process::Signal;

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped, sd_watchdog};

/// A first set that is asked often, and a second one, with these options.
fn start(manager: &Manager, first: &Peer, second: &Peer, options: &[&str]) -> Wrapped {
    start_within(manager, "10000000", first, second, options)
}

/// The same, with another `WATCHDOG_USEC`.
fn start_within(manager: &Manager, usec: &str, first: &Peer, second: &Peer, options: &[&str]) -> Wrapped {
    let (first, second) = (format!("--http={}", first.url()), format!("--http={}", second.url()));
    let often = ["--interval=20ms", "--timeout=2s", "--retry-interval=10ms", "--report-budget=0s"];
    let words = [&[&*first], &often[..], &["--next", &second], options].concat();
    Wrapped::start_within(manager, usec, &words, &FOREVER)
}

fn pings(datagrams: &[String]) -> usize {
    datagrams.iter().filter(|datagram| datagram.contains("WATCHDOG=1")).count()
}

#[test]
fn a_slow_set_beside_a_fast_one_delays_neither_its_probes_nor_its_pings() {
    let (manager, fast, slow) = (Manager::new(), Peer::new(Manner::Healthy), Peer::new(Manner::Healthy));
    // It is asked soon, and may leave that unanswered for longer than anything here is waited for.
    let options = ["--interval=50ms", "--timeout=40s", "--failures=1"];
    let _wrapped = start_within(&manager, "60000000", &fast, &slow, &options);
    manager.receive_until("READY=1");
    slow.set(Manner::Stuck);
    slow.wait_until(|served| served.other == 1);
    manager.so_far();
    fast.wait_for_probes(20);
    let said = manager.receive_until("WATCHDOG=1");
    assert!(!said.iter().any(|datagram| datagram.contains("trigger")), "{said:?}");
    assert_eq!(slow.served().other, 1, "one probe of a set at a time");
}

#[test]
fn the_second_set_hangs_and_is_named() {
    let (manager, first, second) = (Manager::new(), Peer::new(Manner::Healthy), Peer::new(Manner::Healthy));
    let wrapped = start(&manager, &first, &second, &["--timeout=1s"]);
    let started = wrapped.stderr_find("probing ");
    assert!(started.contains("timeout 2 s, trigger after 3 unhealthy in a row; http://"), "{started}");
    assert!(started.ends_with("every 20 ms, timeout 1 s, trigger after 3 unhealthy in a row"), "{started}");
    manager.receive_until("READY=1");
    manager.receive_until("WATCHDOG=1");
    second.set(Manner::Mute);
    let said = manager.receive_until("WATCHDOG=trigger");
    let hang = format!("STATUS=hung, 3 probes in a row unhealthy: {}: no answer in 1 s", second.url());
    assert!(said.last().unwrap().contains(&hang), "{said:?}");
    assert_eq!(first.served().other, 0);
}

#[test]
fn ready_waits_for_a_set_that_is_not_asked_afterwards() {
    let (manager, live, gate) = (Manager::new(), Peer::new(Manner::Healthy), Peer::new(Manner::Unavailable));
    let _wrapped = start(&manager, &live, &gate, &["--ready-only"]);
    gate.wait_for_probes(5);
    let said = manager.so_far();
    assert!(!said.iter().any(|datagram| datagram.contains("READY=1")), "{said:?}");
    assert!(said[0].starts_with(&format!("STATUS=waiting for {}: status 503", gate.url())), "{said:?}");
    gate.set(Manner::Healthy);
    manager.receive_until("READY=1");
    // One may have been under way.
    let asked = gate.served();
    gate.set(Manner::Mute);
    live.wait_for_probes(50);
    let said: Vec<String> = (0..20).flat_map(|_| manager.receive_until("WATCHDOG=1")).collect();
    assert!(!said.iter().any(|datagram| datagram.contains("trigger")), "{said:?}");
    assert!(
        gate.served().healthy + gate.served().other <= asked.healthy + asked.other + 1,
        "{:?}",
        gate.served()
    );
}

#[test]
fn a_reload_waits_for_a_set_that_gates_ready_too() {
    let (manager, live, gate) = (Manager::new(), Peer::new(Manner::Healthy), Peer::new(Manner::Healthy));
    let (first, second) = (format!("--http={}", live.url()), format!("--http={}", gate.url()));
    let words = [
        &*first,
        "--interval=20ms",
        "--timeout=2s",
        "--retry-interval=10ms",
        "--next",
        &second,
        "--ready-only",
    ];
    let handles = ["sh", "-c", "trap 'echo reloaded' HUP; echo up; while :; do sleep 0.02; done"];
    let wrapped = Wrapped::start(&manager, &words, &handles);
    manager.receive_until("READY=1");
    wrapped.stdout_until("up");
    gate.set(Manner::Unavailable);
    wrapped.signal_as_manager(Signal::HUP);
    manager.receive_until("RELOADING=1");
    gate.wait_for_probes(5);
    let said = manager.so_far();
    assert!(pings(&said) > 0 && !said.iter().any(|datagram| datagram.contains("READY=1")), "{said:?}");
    gate.set(Manner::Healthy);
    manager.receive_until("READY=1");
}

#[test]
fn what_cannot_work_behind_next_is_refused_with_where_it_belongs() {
    for (words, expected) in [
        (&["--next", "--tcp=a:1", "--on-hang=withhold"][..], "--on-hang belongs before --next"),
        (&["--next"], "set 2, behind --next: there is nothing to probe"),
        (
            &["--next", "--tcp=a:1", "--interval=3s", "--timeout=1s"],
            "set 2, behind --next: interval 3 s + 3 × timeout 1 s + 2 × retry-interval 50 ms = 6.1 s, but WatchdogSec is 5 s",
        ),
        (&["--ready-only"], "all probes are --ready-only, so nothing is watched after READY=1"),
    ] {
        let mut program =
            sd_watchdog(&[&["--http=http://127.0.0.1:9/"], words].concat(), &["echo", "started"]);
        let output = program.env("WATCHDOG_USEC", "5000000").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{said}");
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(2), &b""[..]));
    }
}
