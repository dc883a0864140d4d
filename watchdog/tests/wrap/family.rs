//! COMMAND among processes: its session, its parent's death, its orphans.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::manager::Manager;
use crate::process::{Process, descriptors, kill, wait_until};
use crate::signals::Terminal;
use crate::wrapped::{Wrapped, sd_watchdog};

/// Has no descriptor open for a moment only, as what a shell executes has.
const SETTLED: &str = r"$| = 1; print qq(up\n); sleep 1000";

const NOWHERE: &str = "--http=http://127.0.0.1:9/";

fn started(script: &str) -> (Manager, Wrapped) {
    let manager = Manager::new();
    let wrapped = Wrapped::start(&manager, &[NOWHERE], &["sh", "-c", script]);
    wrapped.stdout_until("up");
    (manager, wrapped)
}

#[test]
fn without_a_terminal_the_command_has_a_session_of_its_own() {
    let (_manager, wrapped) = started("echo up; exec sleep 1000");
    let command = Process::at(wrapped.child_pid());
    assert_eq!((command.session, command.group), (command.pid, command.pid));
}

#[test]
fn on_a_terminal_the_command_stays_in_our_process_group() {
    let terminal = Terminal::new();
    let wrapped = terminal.wrap(&["sh", "-c", "echo up; exec sleep 1000"]);
    wrapped.stdout_until("up");
    let (own, command) = (Process::at(wrapped.raw_pid()), Process::at(wrapped.child_pid()));
    assert_eq!((command.session, command.group), (own.session, own.group));
}

#[test]
fn a_command_that_signals_its_whole_group_does_not_reach_us() {
    let manager = Manager::new();
    let script = "trap 'echo got TERM' TERM; kill -TERM 0; echo still here; exit 9";
    let (status, stdout, log) = Wrapped::start(&manager, &[NOWHERE, "-v"], &["sh", "-c", script]).end();
    assert_eq!((status.code(), stdout), (Some(9), vec!["got TERM".to_owned(), "still here".to_owned()]));
    assert!(!log.iter().any(|line| line.contains("SIGTERM")), "{log:?}");
}

#[test]
fn when_we_are_killed_the_command_is_told_to_end() {
    let (_manager, wrapped) =
        started("trap 'echo got TERM; exit 0' TERM; echo up; while :; do sleep 0.01; done");
    wrapped.signal(Signal::KILL);
    wrapped.stdout_until("got TERM");
    let (_, rest, _) = wrapped.end();
    assert_eq!(rest, Vec::<String>::new());
}

#[test]
fn orphans_become_our_children_and_no_zombies_pile_up() {
    // Each orphan is forked by a process that ends at once, and ends when its input does.
    let script = "exec 3<&0; for i in 1 2 3 4 5 6 7 8 9; do (cat <&3 >/dev/null & echo $!); done; exec 3<&-; echo up; exec sleep 1000 </dev/null";
    let manager = Manager::new();
    let mut program = sd_watchdog(&[NOWHERE], &["sh", "-c", script]);
    let (reader, writer) = std::io::pipe().unwrap();
    let wrapped = Wrapped::spawn(program.env("NOTIFY_SOCKET", &manager.address).stdin(reader));
    drop(program);
    let orphans: Vec<i32> = wrapped.stdout_until("up").iter().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(orphans.len(), 9);
    let parents = || orphans.iter().filter_map(|pid| Process::find(*pid)).map(|process| process.parent);
    wait_until("all orphans are ours", || {
        parents().filter(|parent| *parent == wrapped.raw_pid()).count() == 9
    });
    drop(writer);
    wait_until("all orphans are waited for", || parents().count() == 0);
    // That the main process is another matters to nobody: COMMAND runs on.
    assert!(Process::is_running(Process::descendants(wrapped.raw_pid())[0].pid));
    wrapped.signal(Signal::TERM);
    assert_eq!(wrapped.end().2.iter().filter(|line| line.contains("was killed by SIGTERM")).count(), 1);
}

#[test]
fn a_command_that_forks_away_without_a_word_has_ended() {
    let (_manager, wrapped) = started("echo up; sleep 1000 >/dev/null 2>&1 & echo $!; exit 3");
    let (status, stdout, _) = wrapped.end();
    let left_behind = stdout[0].parse().unwrap();
    assert_eq!((status.code(), Process::is_running(left_behind)), (Some(3), true));
    kill(left_behind);
}

/// What a test run's own starter left open.
fn given_to_any_child() -> Vec<(i32, String)> {
    let child = Wrapped::spawn(Command::new("perl").args(["-e", SETTLED]));
    child.stdout_until("up");
    descriptors(child.raw_pid()).split_off(3)
}

#[test]
fn the_command_has_our_streams_and_no_descriptor_more() {
    let manager = Manager::new();
    let directory = tempfile::tempdir().unwrap();
    let input = directory.path().join("input");
    File::create(&input).unwrap().write_all(b"for COMMAND\n").unwrap();
    let mut program = sd_watchdog(&[NOWHERE], &["perl", "-e", &format!("print <STDIN>; {SETTLED}")]);
    program.env("NOTIFY_SOCKET", &manager.address).stdin(Stdio::from(File::open(&input).unwrap()));
    let wrapped = Wrapped::spawn(&mut program);
    assert_eq!(wrapped.stdout_until("up"), ["for COMMAND"]);
    let (ours, theirs) = (descriptors(wrapped.raw_pid()), descriptors(wrapped.child_pid()));
    assert_eq!(theirs[..3], ours[..3]);
    assert_eq!(theirs[0], (0, input.to_str().unwrap().to_owned()));
    assert_eq!(theirs[3..], given_to_any_child());
}

#[test]
fn descriptors_that_we_were_given_are_passed_on() {
    let manager = Manager::new();
    let passing = "exec 5</etc/passwd 7</etc/group; exec \"$@\"";
    let program = sd_watchdog(&[NOWHERE], &["perl", "-e", SETTLED]);
    let mut shell = Command::new("sh");
    shell.args(["-c", passing, "sh"]).arg(program.get_program()).args(program.get_args());
    let wrapped = Wrapped::spawn(shell.env("NOTIFY_SOCKET", &manager.address).env_remove("WATCHDOG_USEC"));
    wrapped.stdout_until("up");
    let mut expected = vec![(5, "/etc/passwd".to_owned()), (7, "/etc/group".to_owned())];
    expected.extend(given_to_any_child().into_iter().filter(|(number, _)| ![5, 7].contains(number)));
    expected.sort_unstable();
    assert_eq!(descriptors(wrapped.child_pid())[3..], expected);
}
