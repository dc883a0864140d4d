//! Nothing is left behind: no process, no mount, no cgroup, no file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use harness::machine::Machine;
use harness::machine::namespace::{self, NamespaceMachine};
use rustix::process::{Pid, Signal, kill_process};

use crate::interrupted::SAID;
use crate::lab::{Backend, eventually, hangproof, output_of, programs, root};

/// Directories of machines that process `owner` made, wherever cgroup2 is mounted.
pub fn cgroups(owner: u32) -> Vec<PathBuf> {
    fn search(directory: &Path, prefix: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path());
            } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                search(&entry.path(), prefix, found);
            }
        }
    }
    let mut found = Vec::new();
    search(Path::new("/sys/fs/cgroup"), &format!("hangproof-machine-{owner}-"), &mut found);
    found
}

fn boot() -> NamespaceMachine {
    NamespaceMachine::boot(&root()).expect("a machine boots")
}

/// How many mounts there are, but for those of containers, which other tests and other people make.
fn mounts() -> usize {
    let all = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let is_containers = |line: &&str| line.split(' ').nth(4).is_some_and(|place| place.contains("/docker"));
    all.lines().filter(|line| !is_containers(line)).count()
}

/// Processes in a cgroup and below it.
fn processes(directory: &Path) -> usize {
    let below = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let own = fs::read_to_string(directory.join("cgroup.procs")).map_or(0, |text| text.lines().count());
    own + below.filter(|path| path.is_dir()).map(|path| processes(&path)).sum::<usize>()
}

pub fn nothing_is_left_after_success(_: Backend) {
    let mounts_before = mounts();
    let mut machine = boot();
    assert_eq!(mounts(), mounts_before, "a machine's mounts are its own");
    let init = machine.pid();
    machine.close().expect("closes");
    assert!(rustix::process::test_kill_process(init).is_err(), "PID 1 is gone");
    machine.close().expect("closing twice is harmless");
    assert_eq!(mounts(), mounts_before);
}

pub fn nothing_is_left_after_a_failed_verdict(_: Backend) {
    let output = Command::new(hangproof())
        .args(["run", "harness/scenarios/controls/no-watchdog.toml", "--root"])
        .arg(root())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let owner = output.id();
    let output = output.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(cgroups(owner), [] as [&Path; 0]);
}

pub fn nothing_is_left_after_a_panic(_: Backend) {
    let (say, said) = std::sync::mpsc::channel();
    let panicked = std::thread::Builder::new().spawn(move || {
        let machine = boot();
        say.send(machine.pid()).expect("heard");
        std::panic::resume_unwind(Box::new("a panic that prints nothing"));
    });
    assert!(panicked.expect("a thread").join().is_err(), "it panicked");
    let init = said.recv().expect("it booted");
    assert!(rustix::process::test_kill_process(init).is_err(), "PID 1 is gone");
}

/// Starts `hangproof` in a cgroup (its own parent's unless given) and waits until there is a service in its machine.
fn hanging(cgroup: Option<&Path>) -> (Child, PathBuf) {
    // Built already: what cargo is doing is not to be said among what is looked for.
    let program = programs().path("buggy_server");
    let child = in_cgroup(cgroup)
        .args(["run", "withhold", "--machine", "namespace", "--root"])
        .arg(root())
        .arg("--programs")
        .arg(program.parent().expect("it is in a directory"))
        .spawn()
        .expect("hangproof starts");
    eventually("a machine with a service in it", || {
        cgroups(child.id()).iter().any(|path| path.join("system.slice/buggy_server.service").exists())
    });
    let machine = cgroups(child.id()).remove(0);
    (child, machine)
}

/// `hangproof`, which makes its machines' cgroups below its own.
pub fn in_cgroup(cgroup: Option<&Path>) -> Command {
    let mut command = match cgroup {
        None => Command::new(hangproof()),
        Some(cgroup) => {
            let mut shell = Command::new("sh");
            let script = "echo $$ >\"$1/cgroup.procs\" && program=$2 && shift 2 && exec \"$program\" \"$@\"";
            shell.args(["-c", script, "sh"]).arg(cgroup).arg(hangproof());
            shell
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it still runs");
}

fn nothing_is_left_after(sent: Signal) {
    let (child, cgroup) = hanging(None);
    signal(&child, sent);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), SAID);
    assert!(!cgroup.exists(), "{} is left", cgroup.display());
}

pub fn nothing_is_left_after_ctrl_c(_: Backend) {
    nothing_is_left_after(Signal::INT);
}

pub fn nothing_is_left_after_sigterm(_: Backend) {
    nothing_is_left_after(Signal::TERM);
}

/// A cgroup of a test's own, which is empty in the end.
pub struct Apart(pub PathBuf);

impl Apart {
    pub fn make() -> Self {
        let own = namespace::available(&root()).expect("checked");
        let apart = own.join(format!("test-{}-{:08x}", std::process::id(), rand::random::<u32>()));
        fs::create_dir(&apart).expect("a cgroup");
        Self(apart)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        // A test that failed leaves processes here, which must not outlive it.
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        eventually("the test's cgroup is empty", || fs::remove_dir(&self.0).is_ok());
    }
}

pub fn no_process_outlives_a_harness_that_is_killed_and_the_next_run_sweeps_its_cgroup(_: Backend) {
    // Other tests' machines sweep what is abandoned beside them, processes and all: this must be somewhere else.
    let apart = Apart::make();
    let (mut child, machine) = hanging(Some(&apart.0));
    eventually("systemd, journald and the service run", || processes(&machine) > 2);
    signal(&child, Signal::KILL);
    child.wait().expect("ends");
    eventually("the machine's processes are gone", || processes(&machine) == 0);
    assert!(machine.exists(), "nobody was there to remove it");
    let next = output_of(in_cgroup(Some(&apart.0)).args(["run", "crash", "--machine", "namespace"]));
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    assert!(!machine.exists(), "{} was not swept", machine.display());
}
