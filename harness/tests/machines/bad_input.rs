//! What a user gets who asks for what cannot work: at once, with the reason, and nothing left.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::machine::namespace::NamespaceMachine;
use harness::machine::{Machine, MachineError};
use harness::run::RunError;
use harness::scenario::Observe;
use harness::scenario::Scenario;
use harness::scenario::service::Source;
use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::lab::{Backend, eventually, hangproof, only_trial, root, run_on, scenario, set};

const WATCHED: &str = "/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- ";

fn watching(command: &str) -> Scenario {
    set(scenario("classic"), "ExecStart", &format!("{WATCHED}{command}"))
}

/// Fails, and returns the reasons and the journal's last lines.
fn failure(backend: Backend, scenario: &Scenario) -> (String, String) {
    let trial = backend.trial(scenario);
    assert!(!trial.verdict.is_pass(), "this must fail");
    (trial.verdict.reasons().join("; "), trial.last_lines.join("\n"))
}

pub fn a_command_that_does_not_exist_is_reported_at_once(backend: Backend) {
    let trial = backend.trial(&set(watching("/no/such/program"), "TimeoutStartSec", "1min"));
    let (reasons, lines) = (trial.verdict.reasons().join("; "), trial.last_lines.join("\n"));
    assert!(reasons.contains("the service did not start: exited with code 127"), "{reasons}");
    assert!(lines.contains("/no/such/program"), "{lines}");
    // From the trial's begin, so the computer may boot as slowly as it likes.
    let took = trial.timeline.end - trial.timeline.origin;
    assert!(took < Duration::from_secs(30), "not when TimeoutStartSec= was over: {took:?}");
}

pub fn a_port_already_taken_is_reported_with_the_servers_own_words(backend: Backend) {
    let machine = backend.boot();
    let taker = ["systemd-socket-activate", "--listen=127.0.0.1:8080", "/bin/sleep", "infinity"];
    let _taken = machine.start(&taker).expect("starts");
    eventually("127.0.0.1:8080 is taken", || {
        let found =
            machine.run(&["grep", "--quiet", "0100007F:1F90", "/proc/net/tcp"], Duration::from_secs(5));
        found.expect("grep runs").status.success()
    });
    let trial = only_trial(run_on(machine.as_ref(), &scenario("classic"), 1));
    let (reasons, lines) = (trial.verdict.reasons().join("; "), trial.last_lines.join("\n"));
    assert!(reasons.contains("the service did not start: exited with code 1"), "{reasons}");
    assert!(lines.contains("cannot listen on 127.0.0.1:8080"), "{lines}");
}

pub fn a_service_that_never_becomes_healthy_is_reported_with_the_probes_reason(backend: Backend) {
    let (reasons, lines) = failure(backend, &set(watching("/bin/sleep infinity"), "TimeoutStartSec", "1s"));
    assert!(reasons.contains("the service did not start") && reasons.contains("timeout"), "{reasons}");
    assert!(lines.contains("connection refused"), "{lines}");
}

pub fn a_unit_without_exec_start_is_refused_with_systemds_words(backend: Backend) {
    let directory = TempDir::new().expect("a directory");
    let unit = directory.path().join("empty.service");
    fs::write(&unit, "[Service]\nType=notify\n").expect("written");
    let mut scenario = scenario("classic");
    scenario.service.unit = Source::file(&unit);
    scenario.service.overrides.clear();
    let error = backend.try_run(&scenario, 1).error.expect("cannot be loaded");
    assert!(matches!(error, RunError::Unit(..)), "{error}");
    let text = error.to_string();
    assert!(text.contains("systemd does not load empty.service"), "{text}");
    assert!(text.contains("ExecStart"), "{text}");
}

pub fn an_address_that_nobody_serves_is_named(backend: Backend) {
    let mut scenario = scenario("classic");
    scenario.observe = Observe::http("http://127.0.0.1:8079/").expect("a URL");
    let error = backend.try_run(&scenario, 1).error.expect("cannot be observed").to_string();
    assert!(
        error.contains("http://127.0.0.1:8079/ gave no good answer within 5 s (connection refused)"),
        "{error}"
    );
}

fn program(arguments: &[&str], directory: &TempDir) -> Output {
    let mut command = Command::new(hangproof());
    command.args(arguments).current_dir(directory.path()).stdin(Stdio::null());
    command.output().expect("hangproof runs")
}

pub fn the_evidence_of_a_failure_is_kept_when_asked_for(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let control = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/controls/no-watchdog.toml");
    let output = program(
        &["run", &control.to_string_lossy(), "--keep-on-failure", "--root", &root().to_string_lossy()],
        &directory,
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let kept = directory.path().join("hangproof-no-watchdog");
    let journal = fs::read_to_string(kept.join("journal.txt")).expect("the journal is kept");
    // Older versions of systemd name it by its description alone.
    let is_start = |line: &str| line.contains("Started ") && line.contains("HTTP server that hangs");
    assert!(journal.lines().any(is_start), "{journal}");
    assert!(fs::read_to_string(kept.join("unit.txt")).expect("the unit").contains("WatchdogSec=0"));
    assert!(fs::read_to_string(kept.join("processes.txt")).expect("ps").contains("buggy_server"));
    let export = fs::read(kept.join("journal.export")).expect("the journal is exported");
    assert!(
        export.starts_with(b"__CURSOR=") && export.ends_with(b"\n\n"),
        "as systemd-journal-remote takes it"
    );
    for (file, expected) in
        [("show.txt", "WatchdogUSec=0"), ("cgroup.txt", "cgroup.procs"), ("stacks.txt", "wchan: ")]
    {
        let text = fs::read_to_string(kept.join(file)).expect(file);
        assert!(text.contains(expected), "{file}: {text}");
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let replay = "hangproof replay ./hangproof-no-watchdog/moments.jsonl";
    assert!(said.contains(&format!("The evidence is in ./hangproof-no-watchdog: {replay}")), "{said}");
    let replayed = program(&["replay", "./hangproof-no-watchdog/moments.jsonl"], &directory);
    assert_eq!((replayed.status.code(), replayed.stdout), (Some(1), output.stdout), "it comes to the same");
}

pub fn a_recording_on_a_full_disk_ends_the_run(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    std::os::unix::fs::symlink("/dev/full", directory.path().join("r.jsonl")).expect("linked");
    let root = root();
    let output =
        program(&["run", "crash", "--report", "r.jsonl", "--root", &root.to_string_lossy()], &directory);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the recording r.jsonl cannot be written: No space left"), "{said}");
}

pub fn a_machine_that_dies_in_a_run_breaks_the_run(_: Backend) {
    let mut machine = NamespaceMachine::boot(&root()).expect("a machine boots");
    machine.put("/etc/motd", b"hello", 0o644).expect("a living machine takes a file");
    kill_process(machine.pid(), Signal::KILL).expect("PID 1 lives");
    eventually("the machine is dead", || machine.run(&["true"], Duration::from_secs(1)).is_err());
    let error = machine.run(&["true"], Duration::from_secs(1)).expect_err("a dead machine runs nothing");
    assert!(matches!(error, MachineError::Broken { .. }), "{error}");
    assert!(error.to_string().contains("systemd (PID 1) has ended"), "{error}");
    assert_eq!(machine.obituary().as_deref(), Some("systemd (PID 1) has ended"));
    machine.close().expect("a dead machine can be closed");
}

pub fn a_service_that_ends_before_it_serves_is_reported_at_once(backend: Backend) {
    // With Type=simple systemd says "started" before it knows whether the program exists.
    let scenario = set(set(scenario("classic"), "ExecStart", "/no/such/program"), "Type", "simple");
    let (reasons, lines) = failure(backend, &set(scenario, "Restart", "no"));
    assert!(reasons.contains("exited with code 203"), "{reasons}");
    assert!(lines.contains("/no/such/program"), "{lines}");
}

pub fn a_service_that_ends_well_before_it_serves_was_not_skipped(backend: Backend) {
    // systemd forgets it, and has no ConditionResult=yes of it any more.
    let scenario = set(set(scenario("undisturbed"), "ExecStart", "/bin/true"), "Type", "simple");
    let (reasons, _) = failure(backend, &set(scenario, "Restart", "no"));
    assert_eq!(reasons, "the service did not stay up until it served: deactivated");
}

pub fn an_error_of_one_of_several_scenarios_names_it(_: Backend) {
    let directory = TempDir::new().expect("a directory");
    let wrong = "description = \"x\"\nextends = \"classic\"\n[service.override.Unit]\nRequires = \"absent.service\"\n";
    for name in ["one.toml", "other.toml"] {
        fs::write(directory.path().join(name), wrong).expect("written");
    }
    let root = root();
    let output = program(&["run", "one.toml", "other.toml", "--root", &root.to_string_lossy()], &directory);
    let said = String::from_utf8_lossy(&output.stderr);
    for name in ["one", "other"] {
        assert!(said.contains(&format!("hangproof: {name}: systemd does not start")), "{said}");
    }
}

/// Overrides a directive of `[Unit]`.
fn set_unit(mut scenario: Scenario, directive: &str, value: &str) -> Scenario {
    let section = scenario.service.overrides.entry("Unit".to_owned()).or_default();
    section.insert(directive.into(), vec![value.into()]);
    scenario
}

fn error_on(machine: &dyn Machine, scenario: &Scenario) -> RunError {
    run_on(machine, scenario, 1).error.expect("it cannot be run")
}

pub fn what_systemctl_refuses_and_systemd_skips_is_told_at_once(backend: Backend) {
    let machine = backend.boot();
    // An empty file is a masked unit.
    machine.put("/etc/systemd/system/masked.service", b"", 0o644).expect("put");
    let begun = Instant::now();
    for (directive, value, expected) in [
        ("Requires", "absent.service", "absent.service not found"),
        ("Requires", "masked.service", "masked.service is masked"),
        (
            "ConditionPathExists",
            "/nonexistent",
            "skipped buggy_server.service: ConditionPathExists=/nonexistent",
        ),
        ("AssertPathExists", "/nonexistent", "skipped buggy_server.service: AssertPathExists=/nonexistent"),
    ] {
        let error = error_on(machine.as_ref(), &set_unit(scenario("classic"), directive, value));
        assert!(error.to_string().contains(expected), "{directive}={value}: {error}");
    }
    let error = error_on(machine.as_ref(), &set(scenario("classic"), "ExecCondition", "/bin/false"));
    assert!(error.to_string().contains("skipped buggy_server.service: ExecCondition=/bin/false"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60), "not when TimeoutStartSec= was over");
}

pub fn a_directive_that_systemd_ignores_is_named_with_its_words(backend: Backend) {
    let machine = backend.boot();
    let mut wrong = set(set(scenario("classic"), "WatchdogSecs", "5"), "TimeoutStopSec", "soon");
    wrong.service.overrides.insert("service".into(), [("Type".to_owned(), vec!["simple".into()])].into());
    let error = error_on(machine.as_ref(), &wrong).to_string();
    for said in [
        "\n    WatchdogSecs=5: Unknown key",
        "Did you mean WatchdogSec?",
        "\n    [service]: Unknown section",
        "Did you mean Service?",
        "\n    TimeoutStopSec=soon: Failed to",
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }
    assert!(error.contains("systemd ignores what [service] override, or --set, has"), "{error}");
    // Taken, and what was said of it before is of another unit file.
    let taken = set(scenario("undisturbed"), "TimeoutStopSec", "0.5");
    assert!(only_trial(run_on(machine.as_ref(), &taken, 1)).verdict.is_pass());
}

pub fn a_healthy_service_that_exits_at_its_start_did_not_start(backend: Backend) {
    let exits = set(scenario("undisturbed"), "ExecStart", "/bin/sh -c 'exit 1'");
    let (reasons, _) = failure(backend, &set(exits, "Restart", "no"));
    assert!(reasons.starts_with("the service did not start: exited with code 1"), "{reasons}");
}

pub fn a_fault_of_buggy_servers_own_on_another_service_is_refused(backend: Backend) {
    let machine = backend.boot();
    let mut other = scenario("classic");
    other.service.files.remove("/usr/local/bin/buggy_server");
    // An image may have one of its own.
    machine.run(&["rm", "--force", "/usr/local/bin/buggy_server"], Duration::from_secs(5)).expect("it runs");
    let error = error_on(machine.as_ref(), &other).to_string();
    assert!(error.contains("there is no /usr/local/bin/buggy_server in the machine"), "{error}");
    assert!(error.contains("is \"sigstop\""), "{error}");
    if backend == Backend::Namespace {
        let ours = scenario("classic").service.files["/usr/local/bin/buggy_server"].clone();
        other.service.files.insert("/usr/lib/x".into(), ours);
        let error = error_on(machine.as_ref(), &other).to_string();
        assert!(error.contains("/usr/lib/x cannot be put into the machine"), "{error}");
        assert!(error.contains("/usr/local are writable"), "{error}");
    }
}
