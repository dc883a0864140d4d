//! SIGSTOP to all of a service, in bounded time, whatever its processes do.

use std::time::Duration;

use harness::machine::Machine;
use harness::model::clock::Usec;
use libtest_mimic::Completion;

use crate::lab::{Backend, eventually, fault, root};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the fault may take at most: on a busy computer, and with what only waits.
const BOUND: Duration = Duration::from_secs(4);
const PYTHON: &str = "usr/bin/python3";

/// Starts `command` as a service, which is at work when `is_at_work`, a shell's condition, holds.
fn started(backend: Backend, command: &str, is_at_work: &str) -> Box<dyn Machine> {
    let machine = backend.boot();
    let unit = format!("[Service]\nExecStart={command}\nStandardOutput=null\n");
    machine.put("/etc/systemd/system/busy.service", unit.as_bytes(), 0o644).expect("put");
    assert_eq!(sh(machine.as_ref(), "systemctl daemon-reload && systemctl start busy"), "");
    eventually(is_at_work, || sh(machine.as_ref(), &format!("{is_at_work} && echo yes")) == "yes\n");
    machine
}

fn sh(machine: &dyn Machine, script: &str) -> String {
    let output = machine.run(&["sh", "-c", script], PATIENCE).expect("the shell runs");
    format!("{}{}", output.stdout, output.stderr)
}

/// The states of the service's processes.
fn states(machine: &dyn Machine) -> Vec<String> {
    let list = "for pid in $(cat /sys/fs/cgroup/system.slice/busy.service/cgroup.procs); do \
                sed -n 's/^State:\\t\\(.\\).*/\\1/p' /proc/$pid/status; done 2>/dev/null";
    sh(machine, list).lines().map(ToOwned::to_owned).collect()
}

/// Stops it and lets it go on, many times: where a signal meets a process is a matter of chance.
fn is_stopped_each_time(machine: &dyn Machine, states_allowed: &[&str]) {
    for time in 0..10 {
        let begin = Usec::now();
        let injection = fault("sigstop").inject(machine, "busy.service").expect("stopped");
        let took = Usec::now() - begin;
        assert!(took < BOUND, "time {time} took {took:?}");
        let (at, until) = (injection.at, injection.until);
        assert!(begin <= at && at <= until, "{at:?} {until:?}");
        let states = states(machine);
        let stopped = |state: &String| states_allowed.contains(&state.as_str());
        assert!(!states.is_empty() && states.iter().all(stopped), "time {time}: {states:?}");
        injection.heal().expect("continued");
    }
}

pub fn a_service_of_processes_that_live_for_a_moment_is_stopped(backend: Backend) {
    let command = "/bin/sh -c 'while :; do date; done'";
    let machine = started(backend, command, "systemctl is-active --quiet busy");
    // A shell may start its commands by vfork(2).
    is_stopped_each_time(machine.as_ref(), &["T", "D", "Z"]);
}

pub fn a_service_that_starts_many_processes_at_once_is_stopped(backend: Backend) {
    // The shell does not wait for them: who is stopped leaves zombies.
    let command = "/bin/sh -c 'while :; do date & date & wait; done'";
    let machine = started(backend, command, "systemctl is-active --quiet busy");
    is_stopped_each_time(machine.as_ref(), &["T", "D", "Z"]);
}

pub fn a_process_that_waits_for_its_child_in_vfork_is_stopped_with_it(backend: Backend) -> Completion {
    // The child goes on in its parent's memory, and does not execute anything. It sleeps, so the parent waits for good.
    let program = "import ctypes, time; ctypes.PyDLL(None).vfork() or time.sleep(1000)";
    let waits = "grep --quiet ^State:.D /proc/$(systemctl show --value --property MainPID busy)/status";
    with_python(backend, program, waits, &["T", "D"])
}

pub fn a_service_with_a_process_for_each_connection_is_stopped(backend: Backend) -> Completion {
    // As PostgreSQL: a process forks, the child ends, and is a zombie until the parent gets to it.
    let program = "import os, time\n\
                   while True:\n\
                   \x20 for _ in range(20): os.fork() or os._exit(0)\n\
                   \x20 time.sleep(0.001)\n\
                   \x20 for _ in range(20): os.waitpid(-1, 0)";
    with_python(backend, program, "systemctl is-active --quiet busy", &["T", "Z"])
}

fn with_python(backend: Backend, program: &str, at_work: &str, allowed: &[&str]) -> Completion {
    if !root().join(PYTHON).exists() {
        return Completion::ignored_with("needs /usr/bin/python3: apt-get install python3");
    }
    let program = program.replace('\n', "\\n");
    let machine = started(backend, &format!("/{PYTHON} -c \"{program}\""), at_work);
    is_stopped_each_time(machine.as_ref(), allowed);
    Completion::Completed
}
