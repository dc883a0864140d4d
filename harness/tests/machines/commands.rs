//! Commands in a machine end when they end, or at their deadline.

use std::time::{Duration, Instant};

use harness::machine::{Machine, MachineError};

use crate::lab::{Backend, eventually};

const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a process of the machine's has this argument.
fn is_running(machine: &dyn Machine, argument: &str) -> bool {
    // Not to be found itself.
    let (first, rest) = argument.split_at(1);
    let script =
        format!("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep --quiet 'sleep [{first}]{rest}'");
    machine.run(&["sh", "-c", &script], PATIENCE).expect("the shell runs").status.success()
}

pub fn a_command_that_closes_its_output_and_lives_on_is_killed_at_its_deadline(backend: Backend) {
    let machine = backend.boot();
    let begin = Instant::now();
    let script = "exec >&- 2>&-; sleep 12345 & sleep 12345";
    let error = machine.run(&["sh", "-c", script], Duration::from_secs(1)).expect_err("it does not end");
    assert!(matches!(error, MachineError::Command { .. }), "{error}");
    assert!(error.to_string().contains("did not end within 1s, and was killed"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    eventually("it is dead, and so is what it started", || !is_running(machine.as_ref(), "12345"));
}

pub fn a_command_has_ended_although_what_it_started_has_not(backend: Backend) {
    let machine = backend.boot();
    let begin = Instant::now();
    let output = machine.run(&["sh", "-c", "sleep 12345 & echo started; exit 3"], PATIENCE).expect("it ends");
    assert_eq!((output.status.code(), output.stdout.as_str()), (Some(3), "started\n"), "{output:?}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(is_running(machine.as_ref(), "12345"), "that was not to end");
}

pub fn a_stream_ends_its_command_with_what_that_has_started(backend: Backend) {
    let machine = backend.boot();
    let stream = machine.start(&["sh", "-c", "sleep 12345 & sleep 12345"]).expect("starts");
    eventually("it runs", || is_running(machine.as_ref(), "12345"));
    drop(stream);
    eventually("it is dead, and so is what it started", || !is_running(machine.as_ref(), "12345"));
}

pub fn all_that_a_command_has_said_is_there(backend: Backend) {
    let machine = backend.boot();
    let output = machine.run(&["sh", "-c", "seq 100000; echo done >&2"], PATIENCE).expect("it ends");
    assert_eq!(output.stdout.lines().count(), 100_000);
    assert_eq!((output.stdout.lines().last(), output.stderr.as_str()), (Some("100000"), "done\n"));
}
