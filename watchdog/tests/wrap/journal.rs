//! What is logged, and how.

use std::io::{Read, Write, pipe};
use std::os::linux::fs::MetadataExt;
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use crate::manager::Manager;
use crate::peer::{Manner, Peer};
use crate::wrapped::{FOREVER, Wrapped, sd_watchdog};

#[test]
fn a_healthy_service_is_not_talked_about() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let wrapped = Wrapped::start(&manager, &[&url, "--interval=5ms", "--timeout=3s"], &FOREVER);
    peer.wait_for_probes(20);
    wrapped.signal(Signal::TERM);
    let (_, _, log) = wrapped.end();
    let [started, ready, ended] = &log[..] else { panic!("{log:?}") };
    let expected =
        format!("; probing {} every 5 ms, timeout 3 s, trigger after 3 unhealthy in a row", peer.url());
    assert!(
        started.starts_with("sd-watchdog: started sleep as process ") && started.ends_with(&expected),
        "{log:?}"
    );
    assert!(ready.starts_with("sd-watchdog: ready after "), "{log:?}");
    assert_eq!(ended, "sd-watchdog: COMMAND was killed by SIGTERM");
}

#[test]
fn trouble_is_logged_once_when_it_comes_when_it_goes_and_when_it_wins() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    // Only what the peer does makes a probe unhealthy, and it may do so for longer than this waits.
    let options = [&*url, "--interval=5ms", "--timeout=15s", "--retry-interval=30ms"];
    let wrapped = Wrapped::start_within(&manager, "60000000", &options, &FOREVER);
    wrapped.stderr_until("ready after");
    peer.set(Manner::Unavailable);
    wrapped.stderr_until(": status 503");
    peer.set(Manner::Healthy);
    wrapped.stderr_until("healthy again after ");
    wrapped.signal(Signal::TERM);
    wrapped.end();

    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let url = format!("--http={}", peer.url());
    let wrapped = Wrapped::start(&manager, &[&url, "--timeout=2s", "--failures=2"], &FOREVER);
    wrapped.stderr_until("ready after");
    peer.set(Manner::Unavailable);
    let before = wrapped.stderr_until("asking systemd to restart the service: hung, ");
    assert_eq!(before[0], format!("sd-watchdog: unhealthy: {}: status 503", peer.url()));
    assert!(before[1].starts_with("sd-watchdog: The service hangs: hung, "), "the hang report: {before:#?}");
    assert_eq!(before.iter().filter(|line| line.starts_with("sd-watchdog: unhealthy")).count(), 1);
}

#[test]
fn lines_for_the_journal_start_with_their_priority() {
    for (is_journal, expected) in
        [(true, "<4>sd-watchdog: NOTIFY_SOCKET"), (false, "sd-watchdog: NOTIFY_SOCKET")]
    {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        let inode = metadata.st_ino() + u64::from(!is_journal);
        let mut program = sd_watchdog(&["--http=http://127.0.0.1:9/"], &["true"]);
        program.env("JOURNAL_STREAM", format!("{}:{inode}", metadata.st_dev()));
        assert!(program.stderr(file.reopen().unwrap()).status().unwrap().success());
        let log = std::fs::read_to_string(file.path()).unwrap();
        assert!(log.starts_with(expected), "{log}");
    }
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let (manager, peer) = (Manager::new(), Peer::new(Manner::Healthy));
    let (mut reader, mut writer) = pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, flags).unwrap();
    let url = format!("--http={}", peer.url());
    let mut program = sd_watchdog(&[&url, "-v"], &FOREVER);
    program
        .env("NOTIFY_SOCKET", &manager.address)
        .env("WATCHDOG_USEC", "10000000")
        .stderr(Stdio::from(writer));
    let mut child = program.spawn().unwrap();
    drop(program);
    manager.receive_until("READY=1");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap();
    let mut log = Vec::new();
    reader.read_to_end(&mut log).unwrap();
    assert!(log.iter().all(|&byte| byte == b'x'));
}
