//! What only containers can show.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use harness::machine::docker::DockerMachine;
use harness::machine::{Machine, MachineError};
use harness::progress::Silent;
use harness::run::RunError;
use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Backend, eventually, hangproof, kinds, run_on, scenario};

/// What `docker` says, a line each.
fn docker(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(arguments).output().expect("the docker client runs");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect()
}

/// The containers of the process `owner`, and their rooms.
fn of(owner: u32) -> (Vec<String>, Vec<String>) {
    let room = format!("hangproof-room-{owner}-");
    let label = "{{.ID}} {{.Label \"org.hangproof.room\"}}";
    let containers = docker(&["ps", "--all", "--filter", "label=org.hangproof.room", "--format", label]);
    let containers = containers.into_iter().filter(|line| line.contains(&room)).collect();
    let rooms = std::fs::read_dir(std::env::temp_dir()).expect("readable").flatten();
    let rooms = rooms.map(|entry| entry.file_name().to_string_lossy().into_owned());
    (containers, rooms.filter(|name| name.starts_with(&room)).collect())
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

fn boot() -> DockerMachine {
    DockerMachine::boot(std::env::var("HANGPROOF_TEST_IMAGE").ok().as_deref(), &Silent)
        .expect("a machine boots")
}

pub fn the_same_scenario_has_the_same_events_on_every_backend(_: Backend) {
    // What systemd did and what a client saw, each in order. Between the two it is a matter of a millisecond: READY or the
    // first answer, and a server that is to crash serves until whoever ordered that has been answered.
    let witnesses = |kinds: Vec<String>| -> (Vec<_>, Vec<_>) {
        kinds.into_iter().partition(|kind| matches!(kind.as_str(), "last_good" | "first_good"))
    };
    let on = |backend: Backend| {
        ["classic", "crash", "start-limit"].map(|name| witnesses(kinds(&backend.trial(&scenario(name)))))
    };
    if Backend::Namespace.available().is_ok() {
        assert_eq!(on(Backend::Namespace), on(Backend::Docker));
    }
}

pub fn nothing_is_left_after_success(_: Backend) {
    let mut machine = boot();
    let (id, room) = (machine.id().to_owned(), machine.room());
    machine.close().expect("closes");
    let running = docker(&["ps", "--all", "--no-trunc", "--quiet"]);
    assert!(!running.contains(&id), "the container is removed");
    assert!(!Path::new(&room).exists(), "{room} is removed");
    machine.close().expect("closing twice is harmless");
}

pub fn nothing_is_left_after_a_panic(_: Backend) {
    let (say, said) = std::sync::mpsc::channel();
    let panicked = std::thread::Builder::new().spawn(move || {
        let machine = boot();
        say.send((machine.id().to_owned(), machine.room())).expect("heard");
        std::panic::resume_unwind(Box::new("a panic that prints nothing"));
    });
    assert!(panicked.expect("a thread").join().is_err(), "it panicked");
    let (id, room) = said.recv().expect("it booted");
    assert!(!docker(&["ps", "--all", "--no-trunc", "--quiet"]).contains(&id), "the container is removed");
    assert!(!Path::new(&room).exists(), "{room} is removed");
}

/// Starts `hangproof` and waits until its container is there.
fn started() -> Child {
    let mut command = Command::new(hangproof());
    command.args(["run", "withhold", "--machine", "docker"]);
    if let Ok(image) = std::env::var("HANGPROOF_TEST_IMAGE") {
        command.args(["--image", &image]);
    }
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("hangproof starts");
    eventually("a container", || !of(child.id()).0.is_empty());
    child
}

pub fn nothing_is_left_after_sigterm(_: Backend) {
    let child = started();
    let owner = child.id();
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it still runs");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert_eq!(of(owner), nothing());
}

pub fn a_container_of_a_harness_that_was_killed_is_swept_by_the_next_run(_: Backend) {
    let mut child = started();
    let owner = child.id();
    kill_process(Pid::from_child(&child), Signal::KILL).expect("it still runs");
    child.wait().expect("ends");
    drop(boot());
    // Another test's machine may be removing it just now.
    eventually("the abandoned container and its room are gone", || of(owner) == nothing());
}

pub fn a_container_killed_in_a_run_breaks_the_run_with_its_last_words(_: Backend) {
    let machine = boot();
    let id = machine.id().to_owned();
    let killer = std::thread::spawn(move || {
        eventually("the service runs", || {
            let mut command = Command::new("docker");
            command.args(["exec", &id, "systemctl", "is-active", "--quiet", "buggy_server.service"]);
            command.stderr(Stdio::null()).status().expect("the docker client runs").success()
        });
        docker(&["kill", &id]);
    });
    let ended = run_on(&machine, &scenario("withhold"), 1);
    killer.join().expect("killed");
    let error = ended.error.expect("the run breaks");
    assert!(
        matches!(error, RunError::Journal(_) | RunError::Machine(MachineError::Broken { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("137") || error.to_string().contains("not running"), "{error}");
}

pub fn an_image_without_a_shell_is_refused_with_the_engines_words(_: Backend) {
    // The harness's own empty image, without the host's /usr that belongs to it, has not even a shell.
    drop(DockerMachine::boot(Some("hangproof-host-usr"), &Silent).expect("it boots with the host's /usr"));
    docker(&["tag", "hangproof-host-usr:1", "hangproof-test-empty:1"]);
    let error = DockerMachine::boot(Some("hangproof-test-empty:1"), &Silent).err().expect("it cannot boot");
    docker(&["rmi", "hangproof-test-empty:1"]);
    assert!(matches!(error, MachineError::Boot { .. }), "{error}");
    assert!(error.to_string().contains("does not start") && error.to_string().contains("/bin/sh"), "{error}");
}

pub fn an_image_that_is_nowhere_is_named_with_the_remedy(_: Backend) {
    let error =
        DockerMachine::boot(Some("hangproof.invalid/no-such-image:1"), &Silent).err().expect("nowhere");
    let text = error.to_string();
    assert!(matches!(error, MachineError::Unavailable { .. }), "{text}");
    assert!(text.contains("there is no image hangproof.invalid/no-such-image:1"), "{text}");
}
