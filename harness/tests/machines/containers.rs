//! What only containers can show.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::machine::docker::DockerMachine;
use harness::machine::{Machine, MachineError, Network};
use harness::progress::Silent;
use harness::run::RunError;
use libtest_mimic::Completion;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::interrupted::{SAID, interrupted};
use crate::lab::{Backend, eventually, hangproof, kinds, output_of, programs, run_on, scenario};

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

/// `hangproof` with this scenario in a container.
fn in_container(scenario: &str) -> Command {
    in_container_of(std::env::var("HANGPROOF_TEST_IMAGE").ok().as_deref(), scenario)
}

fn in_container_of(image: Option<&str>, scenario: &str) -> Command {
    let mut command = Command::new(hangproof());
    command.args(["run", scenario, "--machine", "docker"]);
    command.args(image.iter().flat_map(|image| ["--image", image]));
    // Built already: other tests' cargo is not waited for.
    command.arg("--programs").arg(programs().path("buggy_server").parent().expect("it is in a directory"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts `hangproof` and waits until its container is there.
fn started() -> Child {
    let child = in_container("withhold").spawn().expect("hangproof starts");
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

pub fn a_boot_is_cut_short_by_ctrl_c(_: Backend) -> Completion {
    let Some(image) = image_of_its_own() else { return needs_an_image() };
    let directory = TempDir::new().expect("a directory");
    let never_ready = directory.path().join("systemd");
    std::fs::write(&never_ready, "#!/bin/sh\nexec sleep 1000\n").expect("written");
    std::fs::set_permissions(&never_ready, std::fs::Permissions::from_mode(0o755)).expect("set");
    let container = docker(&["create", &image, "true"]).remove(0);
    docker(&["cp", &never_ready.to_string_lossy(), &format!("{container}:/usr/lib/systemd/systemd")]);
    docker(&["commit", &container, "hangproof-test-never-ready:1"]);
    docker(&["rm", &container]);
    let mut command = in_container_of(Some("hangproof-test-never-ready:1"), "withhold");
    let child = command.spawn().expect("hangproof starts");
    let owner = child.id();
    eventually("a container runs", || running(owner).is_some());
    let output = interrupted(child);
    let left = of(owner);
    docker(&["rmi", "hangproof-test-never-ready:1"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), SAID);
    assert_eq!(left, nothing());
    Completion::Completed
}

/// An image that is there and has a /usr of its own.
fn image_of_its_own() -> Option<String> {
    let image = std::env::var("HANGPROOF_TEST_IMAGE").unwrap_or_else(|_| "hangproof:trixie".into());
    docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains(&image).then_some(image)
}

fn needs_an_image() -> Completion {
    Completion::ignored_with("needs an image with a /usr of its own")
}

/// Answers for an engine without containers, which has the base of our image and not the image.
fn answer(client: &UnixStream) -> Option<()> {
    let mut lines = BufReader::new(client).lines();
    loop {
        let request = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let path = request.split(' ').nth(1)?;
        let (status, body) = match path {
            _ if path.ends_with("/version") => ("200 OK", r#"{"Version": "28.0.0", "ApiVersion": "1.48"}"#),
            _ if path.contains("/containers/json") => ("200 OK", "[]"),
            _ if path.contains("/images/hangproof:") => ("404 Not Found", r#"{"message": "none"}"#),
            _ => ("200 OK", "{}"),
        };
        let header = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
        let mut client = client;
        write!(client, "HTTP/1.1 {status}\r\n{header}\r\n\r\n{body}").ok()?;
    }
}

pub fn an_image_that_is_being_built_is_not_waited_for(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let engine = UnixListener::bind(path("engine")).expect("bound");
    std::thread::spawn(move || {
        for client in engine.incoming().flatten() {
            std::thread::spawn(move || answer(&client));
        }
    });
    let client = "#!/bin/sh\necho \"$@\" >\"$0.called\"\nexec sleep 1000\n";
    std::fs::write(path("docker"), client).expect("written");
    std::fs::set_permissions(path("docker"), std::fs::Permissions::from_mode(0o755)).expect("set");
    let own = std::env::var("PATH").unwrap_or_default();
    let mut command = in_container_of(None, "withhold");
    command.env("DOCKER_HOST", format!("unix://{}", path("engine").display()));
    command.env("PATH", format!("{}:{own}", directory.path().display()));
    let child = command.spawn().expect("hangproof starts");
    let called = || std::fs::read_to_string(path("docker.called")).unwrap_or_default();
    eventually("an image is being built", || called().starts_with("build --quiet --tag hangproof:trixie"));
    let output = interrupted(child);
    let building = "Building hangproof:trixie from docker/Dockerfile, which takes some minutes\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("{building}{SAID}"));
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

/// The id of the running container of the process `owner`.
fn running(owner: u32) -> Option<String> {
    let room = format!("hangproof-room-{owner}-");
    let label = "{{.ID}} {{.Label \"org.hangproof.room\"}}";
    let lines = docker(&["ps", "--filter", "label=org.hangproof.room", "--format", label]);
    let line = lines.into_iter().find(|line| line.contains(&room))?;
    line.split(' ').next().map(ToOwned::to_owned)
}

pub fn a_container_ends_by_itself_when_its_harness_is_killed(_: Backend) {
    // While it boots; and later, when there is something in it that does not end.
    let stubborn = "systemd-run --quiet --unit=stubborn --property=Restart=always --property=RestartSec=0 \
                    sh -c 'trap \"\" TERM; while :; do sleep 1; done'";
    for script in ["", stubborn] {
        let mut child = started();
        let mut container = None;
        eventually("it runs", || {
            container = running(child.id());
            container.is_some()
        });
        let container = container.expect("it runs");
        eventually("there is in it what is to be in it", || {
            let mut command = Command::new("docker");
            command
                .args(["exec", &container, "sh", "-c", script])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            script.is_empty() || command.status().expect("the client runs").success()
        });
        kill_process(Pid::from_child(&child), Signal::KILL).expect("it still runs");
        child.wait().expect("ends");
        let begin = Instant::now();
        eventually("the container has ended", || running(child.id()).is_none());
        assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    }
    drop(boot());
}

/// What a machine is made of. Other tests have images of their own, for as long as they run.
fn image_of(machine: &DockerMachine) -> String {
    docker(&["inspect", "--format", "{{.Config.Image}}", machine.id()]).remove(0)
}

pub fn a_container_whose_room_is_somewhere_else_is_left_alone(_: Backend) {
    // As that of a harness in another container, which uses this engine.
    let label = "org.hangproof.room=/somewhere/else/hangproof-room-1-00000000";
    let image = image_of(&boot());
    let usr = "/usr:/usr:ro";
    let other = ["create", "--label", label, "--volume", usr, "--entrypoint", "sleep", &image, "600"];
    let id = docker(&other).remove(0);
    let listed = |what: &[&str]| docker(&[&["ps", "--no-trunc", "--quiet"], what].concat()).contains(&id);
    drop(boot());
    assert!(listed(&["--all"]), "it is about to start");
    docker(&["start", &id]);
    drop(boot());
    assert!(listed(&[]), "it still runs");
    docker(&["kill", &id]);
    // Another test's machine may be removing it just now.
    drop(boot());
    eventually("what has ended, and nobody else removes, is removed", || !listed(&["--all"]));
}

pub fn an_engine_that_shares_no_files_is_refused_with_the_reason(_: Backend) {
    // As an engine on another computer has it: there the directory to be shared is new, and empty.
    let image = image_of(&boot());
    let empty = TempDir::new().expect("a directory");
    let shared = format!("{}:/hangproof", empty.path().display());
    let entrypoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/machine/docker/entrypoint");
    let script = format!("{}:/entrypoint:ro", entrypoint.canonicalize().expect("it is there").display());
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--volume", "/usr:/usr:ro", "--volume", &shared, "--volume", &script]);
    let output =
        command.args(["--entrypoint", "sh", &image, "/entrypoint"]).output().expect("the client runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("hangproof and the engine share no files: they must be on one computer"), "{said}");
}

pub fn a_client_on_the_engines_host_is_in_the_containers_network(_: Backend) {
    // Its first process is the one that shares the harness's directory: on another host that number is a stranger's.
    assert!(matches!(boot().network(), Network::Namespace(_)));
}

pub fn a_long_path_to_temporary_files_is_no_hindrance(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let long = directory.path().join("d".repeat(120));
    std::fs::create_dir(&long).expect("made");
    let output = output_of(in_container("crash").env("TMPDIR", &long));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read_dir(&long).expect("readable").count(), 0, "nothing is left");
}

pub fn the_engine_is_the_one_that_docker_itself_would_use(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let doctor = |variables: &[(&str, &str)]| {
        let mut command = Command::new(hangproof());
        command.arg("doctor").env("DOCKER_CONFIG", directory.path()).env_remove("DOCKER_HOST");
        let output = command.envs(variables.iter().copied()).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.lines().find(|line| line.contains(" docker ")).expect("a line about Docker").to_owned()
    };
    let client = |arguments: &[&str]| {
        let mut command = Command::new("docker");
        command.args(arguments).env("DOCKER_CONFIG", directory.path());
        assert!(
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the client runs").success(),
            "{arguments:?}"
        );
    };
    let own = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".into());
    client(&["context", "create", "own", "--docker", &format!("host={own}")]);
    client(&["context", "create", "other", "--docker", "host=unix:///no/such.sock"]);
    client(&["context", "use", "other"]);
    assert!(doctor(&[]).contains("no Docker engine answers at unix:///no/such.sock"), "{}", doctor(&[]));
    assert!(doctor(&[("DOCKER_CONTEXT", "own")]).starts_with("ok"));
    assert!(doctor(&[("DOCKER_HOST", &own)]).starts_with("ok"));
    let gone = doctor(&[("DOCKER_CONTEXT", "gone")]);
    assert!(gone.contains("there is no Docker context \"gone\""), "{gone}");
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

pub fn an_image_whose_own_programs_are_not_roots_boots(_: Backend) -> Completion {
    let Some(image) = image_of_its_own() else { return needs_an_image() };
    let container = docker(&["create", &image, "true"]).remove(0);
    docker(&["commit", "--change", "USER 65534", &container, "hangproof-test-user:1"]);
    docker(&["rm", &container]);
    let machine = DockerMachine::boot(Some("hangproof-test-user:1"), &Silent);
    // The machine is gone before its image is.
    let user = machine.and_then(|machine| machine.run(&["id", "-u"], Duration::from_secs(20)));
    docker(&["rmi", "hangproof-test-user:1"]);
    assert_eq!(user.expect("it boots").stdout, "0\n");
    Completion::Completed
}

pub fn an_image_that_is_nowhere_is_named_with_the_remedy(_: Backend) {
    let error =
        DockerMachine::boot(Some("hangproof.invalid/no-such-image:1"), &Silent).err().expect("nowhere");
    let text = error.to_string();
    assert!(matches!(error, MachineError::Unavailable { .. }), "{text}");
    assert!(text.contains("there is no image hangproof.invalid/no-such-image:1"), "{text}");
}
