//! What systemd does where `sd-watchdog` is not the main process any more.

use std::time::Duration;

use harness::machine::{Machine, Output};

use crate::lab::{Backend, eventually, with_programs};

const PATIENCE: Duration = Duration::from_secs(60);

fn sh(machine: &dyn Machine, command: &str) -> Output {
    machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs")
}

/// Starts a service whose main process is `sd-watchdog`, around `command`.
fn start(machine: &dyn Machine, name: &str, settings: &str, command: &str) {
    let unit = format!(
        "[Service]\nType=notify\nWatchdogSec=3\n{settings}\nExecStart=/usr/local/bin/sd-watchdog \
         --http http://127.0.0.1:8080/healthz -- {command}\n"
    );
    machine.put(&format!("/etc/systemd/system/{name}.service"), unit.as_bytes(), 0o644).expect("put");
    let started = sh(machine, &format!("systemctl daemon-reload && systemctl start {name}"));
    assert!(started.status.success(), "{settings}: {started:?}\n{}", journal(machine, name));
}

fn journal(machine: &dyn Machine, name: &str) -> String {
    sh(machine, &format!("journalctl --no-pager -o cat -u {name}")).stdout
}

/// As Debian's lighttpd has it: after a reload systemd reads the file again, and listens to the server.
pub fn a_pid_file_that_makes_another_the_main_process_is_said_before_systemd_ends_the_service(
    backend: Backend,
) {
    let mut machine = with_programs(backend);
    let write = "ExecReload=/bin/sh -c 'pidof buggy_server >/run/named.pid'";
    start(
        machine.as_ref(),
        "named",
        &format!("PIDFile=/run/named.pid\n{write}"),
        "/usr/local/bin/buggy_server",
    );
    let before = journal(machine.as_ref(), "named");
    assert!(!before.contains("for the main process of"), "{before}");
    let reloaded = sh(machine.as_ref(), "systemctl reload named");
    assert!(reloaded.status.success(), "{reloaded:?}");
    eventually("systemd's own timer acts", || {
        journal(machine.as_ref(), "named").contains("Watchdog timeout")
    });
    let journal = journal(machine.as_ref(), "named");
    let said =
        journal.find("systemd takes COMMAND (process ").unwrap_or_else(|| panic!("nothing said\n{journal}"));
    assert!(journal[said..].contains("Watchdog timeout"), "too late\n{journal}");
    assert!(journal.contains("take PIDFile=/run/named.pid out of the unit"), "{journal}");
    machine.close().expect("closes");
}

/// The kernel forgets then what signal it was to get at our end (prctl(2), `PR_SET_PDEATHSIG`).
pub fn a_command_that_changed_its_user_ends_with_the_unit_when_sd_watchdog_is_killed(backend: Backend) {
    let mut machine = with_programs(backend);
    for mode in ["control-group", "mixed"] {
        let command =
            "/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups /usr/local/bin/buggy_server";
        start(machine.as_ref(), mode, &format!("KillMode={mode}"), command);
        let pid = sh(machine.as_ref(), "pidof buggy_server").stdout;
        assert!(!pid.trim().is_empty(), "{}", journal(machine.as_ref(), mode));
        sh(machine.as_ref(), &format!("kill -KILL $(systemctl show -P MainPID {mode})"));
        eventually("COMMAND has ended", || {
            sh(machine.as_ref(), "pidof buggy_server").stdout.trim().is_empty()
        });
    }
    machine.close().expect("closes");
}
