//! Services that are not ours, and what systemd and a stranger do to a guarded one.

use std::time::Duration;

use harness::machine::{Machine, Output};
use harness::model::clock::Usec;
use harness::model::event::{Exit, Kind};
use harness::model::result::TrialResult;
use harness::scenario::{Injection, Scenario};

use crate::lab::{Backend, eventually, fault, kinds, only_trial, run_on, scenario, set};

const PATIENCE: Duration = Duration::from_secs(60);
const WATCHED: &str = "/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz";
const UNIT: &str = "buggy_server.service";

fn sh(machine: &dyn Machine, command: &str) -> Output {
    machine.run(&["sh", "-c", command], PATIENCE).expect("the shell runs")
}

fn shown(machine: &dyn Machine, property: &str) -> String {
    let output = machine.run(&["systemctl", "show", "--value", "--property", property, UNIT], PATIENCE);
    output.expect("systemctl runs").stdout.trim().to_owned()
}

/// A machine in which such a service is up and guarded.
fn guarded(backend: Backend, command: &str, watchdog: &str) -> Box<dyn Machine> {
    let machine = backend.boot();
    let scenario = set(scenario("undisturbed"), "ExecStart", &format!("{WATCHED} -- {command}"));
    let trial = only_trial(run_on(machine.as_ref(), &set(scenario, "WatchdogSec", watchdog), 1));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    machine
}

/// Hung by SIGSTOP, reported, ended by the watchdog, started again, and served.
pub fn is_recovered(name: &str) {
    assert_recovered(&Backend::Namespace.trial(&scenario(name)));
}

/// The same, of a server that tells systemd itself how it is. systemd hears the STATUS of the new one too, in front of
/// `sd-watchdog`'s own; its READY the scenario demands.
pub fn is_heard_and_recovered(name: &str) {
    let mut machine = Backend::Namespace.boot();
    assert_recovered(&only_trial(run_on(machine.as_ref(), &scenario(name), 1)));
    let status = shown(machine.as_ref(), "StatusText");
    assert!(status.starts_with("serving on 127.0.0.1:8080"), "{status}");
    machine.close().expect("closes");
}

fn assert_recovered(trial: &TrialResult) {
    let lines = trial.last_lines.join("\n");
    assert!(trial.verdict.is_pass(), "{:?}\n{:#?}\n{lines}", trial.verdict, trial.timeline);
    let kinds = kinds(trial);
    let place = |kind: &str| kinds.iter().position(|seen| seen == kind);
    let order =
        ["injected", "hang_report", "watchdog_trigger", "exited", "restart_scheduled", "ready"].map(place);
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{kinds:?}");
}

/// Whatever the scenario expects.
pub fn is_as_expected(name: &str) {
    let trial = Backend::Namespace.trial(&scenario(name));
    let lines = trial.last_lines.join("\n");
    assert!(trial.verdict.is_pass(), "{:?}\n{:#?}\n{lines}", trial.verdict, trial.timeline);
}

pub fn what_a_machine_does_not_bring_is_skipped_with_the_package_to_install(backend: Backend) {
    let mut scenario = scenario("classic");
    scenario.service.requires.insert("/usr/sbin/no-such".into(), "no-such-package".into());
    let result = backend.try_run(&scenario, 1).result.expect("a result");
    assert_eq!((result.word(), result.trials.len()), ("skip", 0));
    assert_eq!(result.skipped.as_deref(), Some("needs /usr/sbin/no-such: apt-get install no-such-package"));
}

pub fn options_with_spaces_in_them_are_understood(backend: Backend) {
    let options = "--header 'X-Who: a --failures 9 -- b' --failures 2";
    let scenario = set(
        scenario("undisturbed"),
        "ExecStart",
        &format!("{WATCHED} {options} -- /usr/local/bin/buggy_server"),
    );
    let result = backend.try_run(&scenario, 1).result.expect("a result");
    let guard = result.about.settings.and_then(|settings| settings.guard).expect("sd-watchdog guards it");
    assert_eq!(guard.failures, 2);
}

pub fn a_stopped_service_is_stopped_whole_but_for_its_guard_and_can_be_healed(backend: Backend) {
    let command = "/bin/sh -c 'sleep infinity & exec /usr/local/bin/buggy_server'";
    let mut machine = guarded(backend, command, "20s");
    let group = format!("/sys/fs/cgroup{}", shown(machine.as_ref(), "ControlGroup"));
    // A service that makes a cgroup of its own does not get away with it.
    let hide = format!(
        "mkdir {group}/below && for pid in $(cat {group}/cgroup.procs); do \
         grep --quiet sleep /proc/$pid/comm && echo $pid >{group}/below/cgroup.procs; done; \
         grep --quiet . {group}/below/cgroup.procs"
    );
    assert!(sh(machine.as_ref(), &hide).status.success(), "sleep is in a cgroup below");
    let states = || {
        let list = format!(
            "for pid in $(cat {group}/cgroup.procs {group}/below/cgroup.procs); do \
             sed -n 's/^Name:\\t//p; s/^State:\\t\\(.\\).*/\\1/p' /proc/$pid/status | paste -d= - -; done | sort"
        );
        let states = sh(machine.as_ref(), &list).stdout;
        states.lines().map(|line| line.replace("=R", "=S")).collect::<Vec<_>>()
    };
    let running = ["buggy_server=S", "sd-watchdog=S", "sd-wd-witness=S", "sleep=S"];
    assert_eq!(states(), running);

    let begin = Usec::now();
    let injection = fault("sigstop").inject(machine.as_ref(), UNIT).expect("stopped");
    assert_eq!(states(), ["buggy_server=T", "sd-watchdog=S", "sd-wd-witness=S", "sleep=T"]);
    assert!(begin <= injection.at && injection.at <= injection.until && injection.until <= Usec::now());

    injection.heal().expect("continued");
    assert_eq!(states(), running);
    let says = machine.run(&["/usr/local/bin/buggy_server", "status"], PATIENCE).expect("runs");
    assert!(says.stdout.contains("healthy"), "{says:?}");
    assert_eq!(shown(machine.as_ref(), "NRestarts"), "0");

    sh(machine.as_ref(), &format!("systemctl stop {UNIT}"));
    let error = fault("sigstop").inject(machine.as_ref(), UNIT).err().expect("nothing runs").to_string();
    assert!(error.contains("buggy_server.service has no processes"), "{error}");
    machine.close().expect("closes");
}

pub fn a_command_that_was_stopped_gets_the_watchdogs_sigabrt_and_is_waited_for(backend: Backend) {
    // What a process can do about SIGABRT, a core dump among it, COMMAND does: it was continued as well, and not just
    // killed. systemd hears how it ended.
    let command =
        "/bin/sh -c 'trap \"echo COMMAND got SIGABRT; exit 7\" ABRT; /usr/local/bin/buggy_server & wait'";
    let trial = backend.trial(&stopped(&format!("{WATCHED} -- {command}")));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let exits = trial.timeline.events.iter().filter(|event| matches!(event.kind, Kind::Exited(_)));
    let exits = exits.map(|event| event.kind.clone()).collect::<Vec<_>>();
    assert_eq!(exits, [Kind::Exited(Exit::Code(7))]);
}

/// The classic question, with this command and a fault from outside.
fn stopped(exec_start: &str) -> Scenario {
    Scenario {
        faults: vec![Injection::only(fault("sigstop"))],
        ..set(scenario("classic"), "ExecStart", exec_start)
    }
}

pub fn daemon_reload_and_reexec_do_not_disturb_a_guarded_service(backend: Backend) {
    let mut machine = guarded(backend, "/usr/local/bin/buggy_server", "1s");
    let machine_ref = machine.as_ref();
    let before = ["MainPID", "InvocationID"].map(|property| shown(machine_ref, property));
    for verb in ["daemon-reload", "daemon-reexec", "daemon-reexec", "daemon-reload"] {
        let begin = Usec::now();
        let output = machine_ref.run(&["systemctl", verb], PATIENCE).expect("systemctl runs");
        assert!(output.status.success(), "{verb}: {output:?}");
        let last_ping = || shown(machine_ref, "WatchdogTimestampMonotonic").parse().map(Usec);
        let calm = begin + Duration::from_secs(2);
        eventually("the service is pinged for 2 × WatchdogSec more", || {
            last_ping().is_ok_and(|at| at > calm)
        });
        assert_eq!(shown(machine_ref, "NRestarts"), "0", "{verb}");
        assert_eq!(
            ["MainPID", "InvocationID"].map(|property| shown(machine_ref, property)),
            before,
            "{verb}"
        );
    }
    let served = sh(machine_ref, "/usr/local/bin/buggy_server status").stdout;
    assert!(served.contains("healthy"), "{served}");
    machine.close().expect("closes");
}

pub fn the_journal_says_why_a_deadlocked_server_hung(backend: Backend) {
    let mut machine = backend.boot();
    let trial = only_trial(run_on(machine.as_ref(), &scenario("deadlock"), 1));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let report = trial.timeline.events.iter().find_map(|event| match &event.kind {
        Kind::HangReport { id, reason, diagnosis, observers } => {
            Some((id.clone()?, reason.clone()?, diagnosis.clone()?, *observers))
        }
        _ => None,
    });
    let (id, reason, diagnosis, observers) = report.expect("a report with an id, a reason and a diagnosis");
    assert!(reason.contains("http://127.0.0.1:8080/healthz"), "{reason}");
    assert!(diagnosis.contains("futex"), "a deadlocked server waits for locks: {diagnosis}");
    // It asks 100 times a second; sd-watchdog takes more than one to be sure.
    assert!(
        diagnosis.contains("accept") && observers.is_some_and(|asks| asks > 100),
        "{diagnosis} {observers:?}"
    );

    // As a person would ask, and as a program would.
    let said = sh(machine.as_ref(), "journalctl --quiet --no-pager -u buggy_server");
    assert!(said.stdout.contains(&diagnosis), "{}", said.stdout);
    let found = sh(machine.as_ref(), "journalctl -u buggy_server -o json | grep HANGPROOF_").stdout;
    let entries = found.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let of_report = entries.filter(|entry| entry["HANGPROOF_REPORT_ID"] == id.as_str()).collect::<Vec<_>>();
    let names_server = |entry: &serde_json::Value| entry["MESSAGE"].to_string().contains("buggy_server");
    assert!(of_report.len() > 1 && of_report.iter().any(names_server), "one entry for each process: {found}");
    machine.close().expect("closes");
}

pub fn a_service_that_logs_nowhere_has_its_hang_report_in_the_journal(backend: Backend) {
    let mut machine = backend.boot();
    let silent = set(scenario("deadlock"), "StandardOutput", "null");
    let trial = only_trial(run_on(machine.as_ref(), &silent, 1));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let found =
        sh(machine.as_ref(), "journalctl -u buggy_server -o json | grep '\"_COMM\":\"sd-watchdog\"'").stdout;
    let entries = found.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let entries = entries.collect::<Vec<_>>();
    let events: Vec<_> = entries.iter().filter_map(|entry| entry["HANGPROOF_EVENT"].as_str()).collect();
    assert!(events.starts_with(&["settings", "hang_report", "hang_report_process"]), "{found}");
    assert_eq!(events.len(), entries.len(), "its log went where the service's goes: {found}");
    machine.close().expect("closes");
}
