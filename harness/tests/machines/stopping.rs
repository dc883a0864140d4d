//! A service that takes its time to stop looks like one that hangs.

use std::time::Duration;

use harness::machine::{Machine, Output};

use crate::lab::{Backend, with_programs};

const PATIENCE: Duration = Duration::from_secs(60);

fn sh(machine: &dyn Machine, command: &str) -> Output {
    machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs")
}

/// Answers no more, and ends after three times W.
const DRAIN: &str = "buggy_server inject mute; exec sleep 3";

pub fn a_service_that_drains_while_it_is_stopped_is_not_taken_for_one_that_hangs(backend: Backend) {
    let mut machine = with_programs(backend);
    // systemd looks for processes until it finds no new one, and the drain is not to end with the signal that begins it.
    let on_quit = "#!/bin/sh\ntrap 'trap \"\" QUIT; buggy_server inject mute; sleep 3; kill $!; exit 0' QUIT\nbuggy_server &\nwait\n";
    machine.put("/usr/local/bin/drains_on_quit", on_quit.as_bytes(), 0o755).expect("put");
    for (name, command, settings, options) in [
        ("draining", "buggy_server", format!("ExecStop=/bin/sh -c '{DRAIN}'"), ""),
        ("unreported", "buggy_server", format!("ExecStop=/bin/sh -c '{DRAIN}'"), "--report-budget 0s"),
        // It is pinged once it stops already, and systemd's own timer goes again.
        ("answering", "buggy_server", format!("ExecStop=/bin/sh -c 'sleep 0.6; {DRAIN}'"), ""),
        ("quitting", "drains_on_quit", "KillSignal=SIGQUIT".to_owned(), ""),
    ] {
        let unit = format!(
            "[Service]\nType=notify\nWatchdogSec=1\n{settings}\nExecStart=/usr/local/bin/sd-watchdog \
             {options} --http http://127.0.0.1:8080/healthz -- /usr/local/bin/{command}\n"
        );
        machine.put(&format!("/etc/systemd/system/{name}.service"), unit.as_bytes(), 0o644).expect("put");
        let stopped = sh(
            machine.as_ref(),
            &format!(
                "systemctl daemon-reload && systemctl start {name} && systemctl stop {name} && \
                 systemctl show -P Result {name}"
            ),
        );
        let journal = sh(machine.as_ref(), &format!("journalctl --no-pager -o cat -u {name}")).stdout;
        assert_eq!(stopped.stdout.trim(), "success", "{settings} {options}: {stopped:?}\n{journal}");
        let said = "systemd is stopping the unit: what looked like a hang is its end";
        assert!(journal.contains(said), "{settings} {options}\n{journal}");
    }
    machine.close().expect("closes");
}
