//! Ctrl-C is heard whatever is under way in a machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::lab::{Backend, eventually, hangproof, programs, root};

/// What is said of it, all of it.
pub const SAID: &str =
    "hangproof: interrupted; cleaning up. Once more ends it at once\nhangproof: interrupted\n";

/// Much less than what is under way would take, and is given.
const SOON: Duration = Duration::from_secs(8);

/// Interrupts a run, which ends soon; what it has said.
pub fn interrupted(child: Child) -> Output {
    let begin = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).expect("it still runs");
    let output = child.wait_with_output().expect("ends");
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    output
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run in which something in the machine sleeps for so long, in a directory of its own: what is done to the service, or the
/// `ps` that is in the machine.
fn asleep(backend: Backend, seconds: &str, rest: &str, arguments: &[&str]) -> (TempDir, Child) {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let scenario = format!(
        "description = \"asleep\"\n[service]\nunit = \"buggy_server.service\"\n\
         files.\"/usr/local/bin/buggy_server\" = \"bin:buggy_server\"\n\
         files.\"/usr/local/bin/sd-watchdog\" = \"bin:sd-watchdog\"\n\
         files.\"/usr/local/bin/ps\" = \"ps\"\n\
         [observe]\nhttp = \"http://127.0.0.1:8080/\"\n{rest}\n"
    );
    let ps = format!("#!/bin/sh\nexec sleep {seconds}\n");
    fs::write(path("asleep.toml"), scenario).expect("written");
    // It hangs when it is told to, and not at random.
    let unit = include_str!("../../../server/buggy_server.service").replace(" --mean-time-to-hang 60s", "");
    fs::write(path("buggy_server.service"), unit).expect("written");
    fs::write(path("ps"), ps).expect("written");
    fs::set_permissions(path("ps"), fs::Permissions::from_mode(0o755)).expect("set");
    let mut command = Command::new(hangproof());
    command.args(["run", "asleep.toml", "--report", "r.jsonl"]).args(arguments);
    match (backend, std::env::var("HANGPROOF_TEST_IMAGE")) {
        (Backend::Namespace, _) => command.args(["--machine", "namespace", "--root"]).arg(root()),
        (Backend::Docker, Ok(image)) => command.args(["--machine", "docker", "--image", &image]),
        (Backend::Docker, Err(_)) => command.args(["--machine", "docker"]),
    };
    // Built already: what cargo is doing is not to be said among what is looked for.
    let program = programs().path("buggy_server");
    command.arg("--programs").arg(program.parent().expect("it is in a directory"));
    command.current_dir(&directory).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("hangproof starts");
    eventually("it sleeps, or has ended", || {
        is_asleep(seconds) || child.try_wait().is_ok_and(|status| status.is_some())
    });
    (directory, child)
}

/// Whether something sleeps for so long; the number is nobody else's.
fn is_asleep(seconds: &str) -> bool {
    let argv = format!("sleep\0{seconds}\0");
    let processes = fs::read_dir("/proc").expect("readable").flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .any(|own| own == argv.as_bytes())
}

/// A number of seconds that nobody else sleeps for: some hours, and which of a test's processes this is.
fn long(hours: u32) -> String {
    format!("{}.{}", hours * 3600, std::process::id())
}

pub fn a_command_in_the_machine_is_cut_short_and_is_no_breakage(backend: Backend) {
    let seconds = long(if backend == Backend::Namespace { 30 } else { 31 });
    let rest = format!(
        "[fault]\ninject = \"exec\"\nrun = [\"sleep\", \"{seconds}\"]\n[expect]\noutcome = \"restarted\""
    );
    let (directory, child) = asleep(backend, &seconds, &rest, &[]);
    let output = interrupted(child);
    assert_eq!(said(&output.stderr), SAID);
    assert!(!is_asleep(&seconds), "it was ended");
    let recording = fs::read_to_string(directory.path().join("r.jsonl")).expect("it is recorded");
    assert!(recording.contains("\"moment\":\"began\""), "{recording}");
    assert!(!recording.contains("\"moment\":\"broke\""), "{recording}");
}

pub fn evidence_that_is_being_kept_is_cut_short(backend: Backend) {
    let seconds = long(if backend == Backend::Namespace { 32 } else { 33 });
    // No server starts that fast: of that, evidence is kept, what `ps` says among it.
    let rest = "[fault]\ninject = \"crash\"\n[expect]\noutcome = \"restarted\"\nrecovery_within = \"2ms\"";
    let (directory, child) = asleep(backend, &seconds, rest, &["--keep-on-failure"]);
    let output = interrupted(child);
    assert!(!is_asleep(&seconds), "it was ended");
    let kept = directory.path().join("hangproof-asleep");
    let journal = fs::read_to_string(kept.join("journal.txt")).expect("what was kept before is there");
    assert!(journal.contains("buggy_server"), "{journal}");
    assert!(said(&output.stderr).ends_with("hangproof: interrupted\n"), "{output:?}");
}
