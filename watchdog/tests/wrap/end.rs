//! Ends as COMMAND does.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use rustix::process::Signal;

use crate::common::program;
use crate::manager::Manager;
use crate::process::kill;
use crate::wrapped::Wrapped;

const NOWHERE: &str = "--http=http://127.0.0.1:9/";

#[test]
fn the_exit_code_is_that_of_the_command() {
    for code in [0, 1, 2, 77, 143, 255] {
        let manager = Manager::new();
        let wrapped = Wrapped::start(&manager, &[NOWHERE], &["sh", "-c", &format!("exit {code}")]);
        let (status, ..) = wrapped.end();
        assert_eq!(status.code(), Some(code));
        let last = manager.drain().pop();
        assert_eq!(last, Some(format!("STATUS=COMMAND exited with code {code}")));
    }
}

#[test]
fn what_a_clean_end_leaves_behind_is_said_unless_it_was_asked_for() {
    for (script, is_stopped, expected) in [
        ("$LEFT; exit 0", false, Some("left 2 processes behind")),
        ("$LEFT; exit 3", false, None),
        ("trap 'exit 0' TERM; $LEFT; while :; do sleep 0.01; done", true, None),
    ] {
        let manager = Manager::new();
        // The probe that is under way is none of it.
        let probe = "--exec=sleep 1000";
        let left = "sleep 1000 >/dev/null 2>&1 & echo $!; sleep 1000 >/dev/null 2>&1 & echo $!; echo up";
        let wrapped = Wrapped::start(&manager, &[probe], &["sh", "-c", &script.replace("$LEFT", left)]);
        let left: Vec<i32> = wrapped.stdout_until("up").iter().map(|pid| pid.parse().unwrap()).collect();
        if is_stopped {
            wrapped.signal(Signal::TERM);
        }
        let (status, _, log) = wrapped.end();
        left.into_iter().for_each(kill);
        assert!(status.code().is_some(), "{status}");
        let said = log.iter().find(|line| line.contains("behind")).map(String::as_str);
        assert_eq!(said.is_some(), expected.is_some(), "{log:?}");
        assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()), "{log:?}");
    }
}

#[test]
fn a_death_by_signal_is_died_again_without_a_core() {
    for (name, number) in [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ABRT", 6),
        ("KILL", 9),
        ("SEGV", 11),
        ("PIPE", 13),
        ("TERM", 15),
        ("40", 40),
    ] {
        let manager = Manager::new();
        // As much core as the host allows, so that a core not dumped is our doing.
        let command = format!("ulimit -c unlimited; kill -{name} $$");
        let wrapped = Wrapped::spawn(
            Command::new("env")
                .args([
                    "--default-signal",
                    "sh",
                    "-c",
                    "ulimit -c $(ulimit -H -c); exec \"$@\"",
                    "sh",
                    program(),
                ])
                .args([NOWHERE, "--", "sh", "-c", &command])
                .env("NOTIFY_SOCKET", &manager.address)
                .env_remove("WATCHDOG_USEC")
                .current_dir(std::env::temp_dir()),
        );
        let (status, _, log) = wrapped.end();
        assert_eq!(
            (status.signal(), status.core_dumped()),
            (Some(number), false),
            "{name}: {status}, {log:?}"
        );
    }
}

#[test]
fn a_parent_that_ignores_sigchld_does_not_hide_how_the_command_ended() {
    let wrapped = Wrapped::spawn(
        Command::new("env")
            .args(["--ignore-signal=CHLD", program()])
            .args([NOWHERE, "--", "sh", "-c", "exit 7"])
            .env_remove("NOTIFY_SOCKET"),
    );
    assert_eq!(wrapped.end().0.code(), Some(7));
}

#[test]
fn a_command_that_is_not_found_is_127_and_named() {
    for (command, hint) in [
        ("no-such-command", "\"no-such-command\" not found in PATH ("),
        ("/no/such/command", "\"/no/such/command\" not found; look at the path"),
        ("/etc/passwd/x", "not found; look at the path"),
    ] {
        let manager = Manager::new();
        let (status, _, log) = Wrapped::start(&manager, &[NOWHERE], &[command]).end();
        assert_eq!(status.code(), Some(127));
        assert!(log.len() == 1 && log[0].contains(hint), "{log:?}");
        assert!(manager.receive_until("STATUS=").pop().unwrap().contains(command));
    }
}

#[test]
fn a_command_that_cannot_be_run_is_126_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("not-executable");
    std::fs::write(&file, "true").unwrap();
    let executable_nothing = directory.path().join("executable-nothing");
    std::fs::write(&executable_nothing, "true").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&executable_nothing).status().unwrap().success());
    for (command, hint) in [
        (&*file, "cannot be run: Permission denied"),
        (directory.path(), "cannot be run: Permission denied"),
        (&*executable_nothing, "cannot be run: Exec format error"),
    ] {
        let manager = Manager::new();
        let command = command.to_str().unwrap();
        let (status, _, log) = Wrapped::start(&manager, &[NOWHERE], &[command]).end();
        assert_eq!(status.code(), Some(126));
        assert!(log[0].contains(command) && log[0].contains(hint), "{log:?}");
        manager.receive_until("STATUS=");
    }
}
