//! A hang is detected, ended and recovered from, as soon as the bounds say.

use std::process::Command;
use std::time::Duration;

use harness::model::result::TrialResult;
use harness::model::sequence::After;
use harness::scenario::{Injection, Scenario};

use crate::lab::{Backend, fault, hangproof, kinds, output_of, programs, root, scenario, set};

/// What systemd does about a hang, in order, whatever the fault.
const RECOVERY: [&str; 6] = ["exited", "failed", "restart_scheduled", "starting", "ready", "first_good"];

fn assert_recovered(trial: &TrialResult, by: &str) {
    assert!(
        trial.verdict.is_pass(),
        "{:?}\n{:#?}\n{}",
        trial.verdict,
        trial.timeline,
        trial.last_lines.join("\n")
    );
    let kinds = kinds(trial);
    let mut expected = vec!["injected", by, "killed"];
    // The first good answer may be heard just before systemd's word that the service is ready. That there is a report
    // before systemd acts is for the scenario to demand.
    expected.extend(&RECOVERY[..5]);
    let elsewhere = ["last_good", "first_good", "hang_report"];
    let seen = kinds.iter().map(String::as_str).filter(|kind| !elsewhere.contains(kind));
    let mut seen = seen.collect::<Vec<_>>();
    seen.dedup();
    assert_eq!(seen, expected);
    assert!(kinds.contains(&"first_good".into()), "served again: {kinds:?}");
}

fn is_restarted_within_watchdog_sec(backend: Backend, name: &str) {
    let scenario = scenario(name);
    let trial = backend.trial(&scenario);
    assert_recovered(&trial, "watchdog_trigger");
    let recovery = trial.timeline.phases.recovery.expect("recovered").length();
    assert!(recovery <= Duration::from_secs(5), "WatchdogSec is 5 s, the recovery took {recovery:?}");
}

pub fn a_mute_server_is_restarted_within_watchdog_sec(backend: Backend) {
    is_restarted_within_watchdog_sec(backend, "classic");
}

pub fn a_server_that_only_the_second_set_finds_mute_is_restarted_within_watchdog_sec(backend: Backend) {
    let trial = backend.trial(&scenario("second-set"));
    assert_recovered(&trial, "watchdog_trigger");
    let recovery = trial.timeline.phases.recovery.expect("recovered").length();
    assert!(recovery <= Duration::from_secs(5), "WatchdogSec is 5 s, the recovery took {recovery:?}");
}

pub fn a_server_that_stops_accepting_is_restarted_within_watchdog_sec(backend: Backend) {
    is_restarted_within_watchdog_sec(backend, "accept-stall");
}

pub fn a_deadlocked_server_is_restarted_within_watchdog_sec(backend: Backend) {
    is_restarted_within_watchdog_sec(backend, "deadlock");
}

pub fn a_spinning_server_is_restarted_within_watchdog_sec(backend: Backend) {
    is_restarted_within_watchdog_sec(backend, "spin");
}

pub fn a_server_that_only_answers_errors_is_restarted_within_watchdog_sec(backend: Backend) {
    let mut scenario = scenario("classic");
    scenario.faults = vec![Injection::only("error".parse().expect("a fault"))];
    assert_recovered(&backend.trial(&scenario), "watchdog_trigger");
}

pub fn withheld_pings_are_detected_between_the_last_ping_and_the_timers_slack(backend: Backend) {
    let trial = backend.trial(&scenario("withhold"));
    assert_recovered(&trial, "watchdog_timeout");
    let detect = trial.timeline.phases.detect.expect("detected").length();
    let (watchdog, interval) = (Duration::from_secs(5), Duration::from_millis(500));
    let latest = watchdog + Duration::from_millis(250 + 100);
    assert!(watchdog < detect + interval && detect <= latest, "detected after {detect:?}");
}

pub fn a_crash_recovers_by_exit_and_not_by_the_watchdog(backend: Backend) {
    let trial = backend.trial(&scenario("crash"));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let kinds = kinds(&trial);
    assert!(!kinds.iter().any(|kind| kind.starts_with("watchdog")), "{kinds:?}");
    assert!(trial.timeline.phases.kill.is_none(), "a process that dies by itself is not killed");
}

pub fn a_service_that_may_not_start_again_is_given_up(backend: Backend) {
    let trial = backend.trial(&scenario("start-limit"));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    assert!(kinds(&trial).contains(&"start_limit_hit".into()));
}

pub fn trials_follow_one_another_on_one_machine(backend: Backend) {
    let result = backend.try_run(&scenario("crash"), 12).result.expect("the run ends");
    assert_eq!(result.trials.len(), 12, "more than the unit's StartLimitBurst");
    for trial in &result.trials {
        assert!(trial.verdict.is_pass(), "trial {}: {:?}", trial.number, trial.verdict);
    }
    let seeds = result.trials.iter().map(|trial| trial.seed.wrapping_sub(result.trials[0].seed));
    assert!(seeds.eq(0..12), "each trial has the next seed");
}

/// `crash` on a service that listens so long after its start, the first one or all of them, and systemd is not told.
pub fn trials_are_made_on_several_machines_at_once(_: Backend) {
    let directory = tempfile::tempdir().expect("a directory");
    let recording = directory.path().join("r.jsonl");
    let report = |name: &str| directory.path().join(name);
    let jobs = ["run", "crash", "--trials", "6", "--jobs", "3", "--seed", "7", "--machine", "namespace"];
    let programs = programs().path("buggy_server");
    let mut run = Command::new(hangproof());
    run.args(jobs).arg("--root").arg(root()).arg("--programs").arg(programs.parent().expect("a directory"));
    run.arg("--report").arg(&recording).arg("--report").arg(report("live.json"));
    let output = output_of(&mut run);
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let mut replay = Command::new(hangproof());
    replay.arg("replay").arg(&recording).arg("--report").arg(report("replayed.json"));
    assert!(replay.output().expect("it runs").status.success());
    let read = |name: &str| std::fs::read_to_string(report(name)).expect("a report");
    assert_eq!(read("live.json"), read("replayed.json"), "whatever the order in which they were made");
    let document: serde_json::Value = serde_json::from_str(&read("live.json")).expect("JSON");
    let trials = document["runs"][0]["trials"].as_array().expect("trials");
    let told =
        |key: &str| trials.iter().map(|trial| trial[key].as_u64().expect("a number")).collect::<Vec<_>>();
    assert_eq!((told("number"), told("seed")), ((1..=6).collect(), (7..=12).collect()));
}

fn listens_after(first: &str, later: &str) -> Scenario {
    let listens = format!(
        "/bin/sh -c 'if test -e /run/again; then sleep {later}; else sleep {first}; fi; exec /usr/local/bin/buggy_server'"
    );
    // As root: the service itself may not write there.
    let count = "+/bin/sh -c 'test ! -e /run/once || touch /run/again; touch /run/once'";
    let mut scenario = set(set(scenario("crash"), "ExecStart", &listens), "Type", "simple");
    scenario.expect.recovery_within = Some("20s".into());
    set(set(scenario, "ExecStartPre", count), "WatchdogSec", "0")
}

pub fn a_service_that_listens_seconds_after_its_start_recovers_within_what_is_expected(backend: Backend) {
    let trial = backend.trial(&listens_after("3", "3"));
    assert!(trial.verdict.is_pass(), "{:?}\n{:#?}", trial.verdict, trial.timeline);
    let outage = trial.timeline.phases.outage.expect("an outage").length();
    assert!(outage > Duration::from_secs(3), "{outage:?}");
}

pub fn when_a_service_is_ready_that_does_not_say_so_is_for_the_scenario_to_know(backend: Backend) {
    let error = backend.try_run(&listens_after("6", "6"), 1).error.expect("it is given up").to_string();
    assert!(error.contains("no good answer within 5 s (connection refused)"), "{error}");
    assert!(error.contains("has [ready] within"), "{error}");
    let mut scenario = listens_after("6", "6");
    scenario.expect.ready_within = Some("20s".into());
    let trial = backend.trial(&scenario);
    assert!(trial.verdict.is_pass(), "{:?}\n{:#?}", trial.verdict, trial.timeline);
}

pub fn a_service_that_is_too_slow_after_a_restart_fails_in_every_trial(backend: Backend) {
    let mut scenario = listens_after("0", "60");
    scenario.expect.recovery_within = None;
    scenario.expect.ready_within = Some("1s".into());
    let ended = backend.try_run(&scenario, 2);
    assert!(ended.error.is_none(), "{:?}", ended.error.map(|error| error.to_string()));
    let trials = ended.result.expect("a result").trials;
    let reasons = trials.iter().map(|trial| trial.verdict.reasons().join("; ")).collect::<Vec<_>>();
    assert!(reasons[0].contains("but no client was served in the 2."), "{reasons:?}");
    assert!(reasons[1].contains("the service was up, but no client was served in "), "{reasons:?}");
}

pub fn a_service_of_type_exec_is_measured_as_well(backend: Backend) {
    // READY means nothing here, and systemd says "started" at once; clients tell when it serves.
    let slow = "/bin/sh -c 'sleep 0.3; exec /usr/local/bin/buggy_server'";
    for kind in ["exec", "simple"] {
        let scenario = set(set(scenario("crash"), "ExecStart", slow), "Type", kind);
        let trial = backend.trial(&set(scenario, "WatchdogSec", "0"));
        assert!(trial.verdict.is_pass(), "{kind}: {:?}\n{:#?}", trial.verdict, trial.timeline);
        let phases = trial.timeline.phases;
        let (recovery, outage) = (phases.recovery.expect("recovered"), phases.outage.expect("an outage"));
        assert!(recovery.length() < outage.length(), "{kind}: clients wait for the service, not for systemd");
    }
}

pub fn faults_one_after_another_are_each_an_episode(backend: Backend) {
    let left_alone = r#"{"outcome":"undisturbed","undisturbed_for":"200ms"}"#;
    let crash = || Injection::only(fault("crash"));
    let faults = vec![
        crash(),
        Injection {
            heal_after: Some(Duration::from_millis(100)),
            expect: Some(serde_json::from_str(left_alone).expect("an expectation")),
            ..Injection::only(fault("sigstop"))
        },
        Injection { after: After::Span(Duration::from_millis(300)), ..crash() },
    ];
    let trial = backend.trial(&Scenario { faults, ..scenario("crash") });
    assert!(trial.verdict.is_pass(), "{:?}\n{:#?}\n{:#?}", trial.verdict, trial.timeline, trial.later);
    let recovered = trial.episodes().map(|(_, timeline)| timeline.phases.recovery.is_some());
    assert_eq!(recovered.collect::<Vec<_>>(), [true, false, true]);
    let healed = trial.later[0].timeline.healed().expect("healed") - trial.later[0].timeline.origin;
    assert!(healed >= Duration::from_millis(100), "{healed:?}");
}
