//! What is seen of it from outside, while it guards.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped};

#[test]
fn the_figures_tell_what_the_loop_did() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sd-watchdog.prom");
    let options = [
        format!("--http={}", peer.url()),
        "--metrics=127.0.0.1:0".to_owned(),
        format!("--metrics-file={}", file.display()),
        "--failures=4".to_owned(),
        "--retry-interval=20ms".to_owned(),
        "--interval=20ms".to_owned(),
        "--timeout=2s".to_owned(),
    ];
    let wrapped = Wrapped::start(&manager, &options.each_ref().map(String::as_str), &FOREVER);
    let address = wrapped.stderr_find("figures are at http://");
    let address = address.trim_end_matches("/metrics");
    manager.receive_until("WATCHDOG=1");
    manager.receive_until("WATCHDOG=1");
    peer.set(Manner::Unavailable);
    peer.wait_for_probes(3);
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let figure = |name: &str| -> f64 {
        let line = page.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name}: {page}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(figure("sd_watchdog_pings_total") >= 2.0);
    assert!(figure("sd_watchdog_failures") >= 1.0);
    assert!(figure("sd_watchdog_probe_duration_seconds_count") >= 5.0);
    assert!(page.contains("state=\"unhealthy\"} 1"), "{page}");
    assert!(page.contains("reason=\"status\""), "{page}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("sd_watchdog_pings_total"));
    wrapped.signal(Signal::TERM);
    wrapped.end();
    assert!(!file.exists(), "figures of a service that is gone");
}

#[test]
fn figures_that_cannot_be_served_are_refused_before_the_command_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let manager = Manager::new();
    let metrics = format!("--metrics={}", taken.local_addr().unwrap());
    let wrapped = Wrapped::start(&manager, &["--http=http://127.0.0.1:9/", &metrics], &["echo", "started"]);
    let (status, stdout, log) = wrapped.end();
    assert_eq!((status.code(), stdout), (Some(70), Vec::new()));
    assert!(log.join("\n").contains("in use"), "{log:?}");
}
