//! What is not a hang, and what is done when there is one.

use std::time::Duration;

use rustix::process::Signal;

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped};

fn extensions(datagrams: &[String]) -> usize {
    datagrams.iter().filter(|datagram| datagram.starts_with("EXTEND_TIMEOUT_USEC=")).count()
}

#[test]
fn a_start_that_uses_the_cpu_is_extended_and_one_that_sleeps_is_not() {
    // Where others take the CPU, what exec itself takes of it may be seen only at the first look.
    for (command, least, most) in [("while :; do :; done", 2, 20), ("exec sleep 1000", 0, 1)] {
        let (manager, peer) = (Manager::new(), Peer::new(Manner::Unavailable));
        let url = format!("--http={}", peer.url());
        let options = [&*url, "--start-timeout=1200ms", "--report-budget=0s", "--interval=10ms"];
        let wrapped = Wrapped::start(&manager, &options, &["sh", "-c", command]);
        let datagrams = manager.receive_until("WATCHDOG=trigger");
        let extended = extensions(&datagrams);
        assert!((least..=most).contains(&extended), "{command}: {extended} of {datagrams:#?}");
        let trigger = datagrams.last().unwrap();
        assert!(trigger.starts_with("STATUS=hung, not healthy 1.2 s after its start: http://"), "{trigger}");
        assert!(trigger.ends_with(": status 503\nWATCHDOG=trigger"), "{trigger}");
        wrapped.signal(Signal::KILL);
    }
}

#[test]
fn a_dry_run_pings_on_and_says_what_it_would_have_done() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let options =
        [&*url, "--dry-run", "--failures=2", "--interval=10ms", "--timeout=100ms", "--retry-interval=10ms"];
    let wrapped = Wrapped::start(&manager, &options, &FOREVER);
    manager.receive_until("READY=1");
    peer.set(Manner::Unavailable);
    wrapped.stderr_until("would have triggered (--dry-run): hung, ");
    manager.so_far();
    peer.wait_for_probes(3);
    let after = manager.receive_until("WATCHDOG=1");
    assert!(after.iter().all(|datagram| !datagram.contains("trigger")), "{after:?}");
}

#[test]
fn a_probe_that_was_under_way_while_we_were_stopped_does_not_count() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let options = [&*url, "--failures=1", "--interval=20ms", "--timeout=2s"];
    let wrapped = Wrapped::start(&manager, &options, &FOREVER);
    manager.receive_until("READY=1");
    peer.set(Manner::Mute);
    peer.wait_for_probes(1);
    wrapped.signal(Signal::STOP);
    // Longer than the deadline: nobody looks at it in time.
    while wrapped.stderr_within(Duration::from_millis(2500)).is_some() {}
    peer.set(Manner::Healthy);
    wrapped.signal(Signal::CONT);
    wrapped.stderr_until("an unhealthy probe does not count: sd-watchdog itself was held up for ");
    let after = manager.receive_until("WATCHDOG=1");
    assert!(after.iter().all(|datagram| !datagram.contains("trigger")), "{after:?}");
}

#[test]
fn before_the_trigger_a_report_says_what_the_service_was_doing() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let options =
        [&*url, "--failures=1", "--on-hang-exec=echo looked at %p with 100%%", "--report-budget=3s"];
    let wrapped = Wrapped::start(&manager, &options, &["sleep", "987654"]);
    manager.receive_until("READY=1");
    peer.set(Manner::Unavailable);
    manager.receive_until("WATCHDOG=trigger");
    let report = wrapped.stderr_until("asking systemd to restart the service").join("\n");
    for expected in ["The service hangs: hung, 1 probe in a row unhealthy", "sleep 987654", "status 503"] {
        assert!(report.contains(expected), "{report}");
    }
    let said = report.lines().find(|line| line.contains("looked at")).unwrap();
    let pid = said.split_once("looked at ").unwrap().1.split(' ').next().unwrap();
    assert!(pid.parse::<u32>().is_ok() && report.contains("with 100%"), "{said}");
}

#[test]
fn a_command_that_outstays_the_reports_budget_is_killed_and_the_trigger_comes() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let options = [&*url, "--failures=1", "--on-hang-exec=sleep 987655", "--report-budget=300ms"];
    let wrapped = Wrapped::start(&manager, &options, &FOREVER);
    manager.receive_until("READY=1");
    peer.set(Manner::Unavailable);
    manager.receive_until("WATCHDOG=trigger");
    let report = wrapped.stderr_until("asking systemd to restart the service").join("\n");
    assert!(report.contains("killed at the end of the report's budget"), "{report}");
}

#[test]
fn without_a_budget_there_is_no_report() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let wrapped = Wrapped::start(&manager, &[&url, "--failures=1", "--report-budget=0s"], &FOREVER);
    manager.receive_until("READY=1");
    peer.set(Manner::Unavailable);
    let log = wrapped.stderr_until("asking systemd to restart the service");
    assert!(!log.join("\n").contains("The service hangs"), "{log:?}");
}

#[test]
fn several_probes_must_all_pass_and_the_reason_names_the_one_that_failed() {
    let (manager, first, second) = (Manager::new(), Peer::new(Manner::Healthy), Peer::new(Manner::Healthy));
    let options = [
        format!("--http={}", first.url()),
        format!("--http={}", second.url()),
        "--exec=true".to_owned(),
        "--failures=1".to_owned(),
        "--timeout=2s".to_owned(),
    ];
    let _wrapped = Wrapped::start(&manager, &options.each_ref().map(String::as_str), &FOREVER);
    let ready = manager.receive_until("READY=1").pop().unwrap();
    assert!(ready.contains(&format!("healthy: {} and 2 more answered in ", first.url())), "{ready}");
    second.set(Manner::Unavailable);
    let trigger = manager.receive_until("WATCHDOG=trigger").pop().unwrap();
    assert!(trigger.contains(&format!("unhealthy: {}: status 503", second.url())), "{trigger}");
}
