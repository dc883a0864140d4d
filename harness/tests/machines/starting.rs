//! A start that takes longer than TimeoutStartSec=, and is extended.

use std::time::Duration;

use harness::machine::Machine;
use harness::model::clock::Usec;

use crate::lab::{Backend, eventually, programs};

/// As `UNIT` has it. The first extension is due 250 ms after the start, on a machine that may stall for longer than that.
const LIMIT: Duration = Duration::from_secs(3);
const UNIT: &str = "\
[Service]
Type=notify
TimeoutStartSec=3s
WatchdogSec=30s
ExecStart=/usr/local/bin/sd-watchdog --verbose --http http://127.0.0.1:8080/healthz --start-timeout 1min -- \\
  /bin/sh -c 'until [ -e /run/granted ]; do :; done; exec /usr/local/bin/buggy_server'
";

fn sh(machine: &dyn Machine, command: &str) -> String {
    let output = machine.run(&["sh", "-c", command], Duration::from_secs(20)).expect("the shell runs");
    assert!(output.status.success(), "{command}: {output:?}");
    output.stdout.trim().to_owned()
}

pub fn a_start_that_is_extended_outlives_daemon_reload(backend: Backend) {
    let mut machine = backend.boot();
    for name in ["buggy_server", "sd-watchdog"] {
        let content = std::fs::read(programs().path(name)).expect("it is built");
        machine.put(&format!("/usr/local/bin/{name}"), &content, 0o755).expect("put");
    }
    // Every host has generators; a machine has none unless it is given one.
    machine.put("/etc/systemd/system-generators/none", b"#!/bin/sh\n", 0o755).expect("put");
    machine.put("/etc/systemd/system/slow.service", UNIT.as_bytes(), 0o644).expect("put");
    sh(machine.as_ref(), "systemctl daemon-reload && systemctl start --no-block slow");
    let begin = Usec::now();
    let shown = |property: &str| sh(machine.as_ref(), &format!("systemctl show -P {property} slow"));
    let journal = || sh(machine.as_ref(), "journalctl --quiet --no-pager -o short-monotonic -u slow");
    eventually("the start has lasted longer than TimeoutStartSec=", || Usec::now() - begin > LIMIT * 2);
    for command in ["daemon-reload", "daemon-reload", "daemon-reexec", "daemon-reload", "daemon-reload"] {
        sh(machine.as_ref(), &format!("systemctl {command}"));
        // systemd answers this after it has handled what was due.
        assert_eq!(shown("ActiveState"), "activating", "after {command}\n{}", journal());
    }
    sh(machine.as_ref(), "touch /run/granted");
    eventually("the service is up", || shown("ActiveState") != "activating");
    assert_eq!(shown("ActiveState"), "active", "{}", journal());
    assert!(!journal().contains("timed out"), "{}", journal());
    machine.close().expect("closes");
}
