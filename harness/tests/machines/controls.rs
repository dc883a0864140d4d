//! Negative controls: an instrument that cannot fail is none.

use harness::model::verdict::Verdict;

use crate::lab::{Backend, kinds, scenario, set};

fn reasons(verdict: &Verdict) -> String {
    assert!(!verdict.is_pass(), "this must fail");
    verdict.reasons().join("; ")
}

pub fn a_healthy_service_is_left_alone(backend: Backend) {
    let trial = backend.trial(&scenario("undisturbed"));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    assert_eq!(kinds(&trial), [] as [&str; 0], "nothing happens to it");
}

pub fn without_the_watchdog_a_hang_goes_unnoticed_and_the_verdict_says_why(backend: Backend) {
    let trial = backend.trial(&scenario("controls/no-watchdog"));
    let reasons = reasons(&trial.verdict);
    assert!(reasons.contains("the watchdog of this unit is off"), "{reasons}");
    assert!(reasons.contains("clients are served no more (no answer in 1 s)"), "{reasons}");
    assert_eq!(kinds(&trial), ["last_good", "injected"]);
}

pub fn pings_without_probes_hide_a_hang_and_the_verdict_says_why(backend: Backend) {
    let trial = backend.trial(&scenario("controls/blind-pings"));
    let reasons = reasons(&trial.verdict);
    assert!(reasons.contains("something pings although the service hangs"), "{reasons}");
    assert_eq!(kinds(&trial), ["last_good", "injected"]);
}

pub fn each_part_of_a_recovery_is_held_against_what_is_expected_of_it(backend: Backend) {
    let trial = backend.trial(&scenario("each-phase"));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let reasons = reasons(&backend.trial(&scenario("controls/each-phase-otherwise")).verdict);
    for said in [
        "longer than the 10 ms expected of it",
        "systemd was to restart the service 2 times, and did so once",
        "sd-watchdog was to diagnose \"deadlock\", and its diagnosis is: ",
        "that has \"Start request repeated too quickly\"",
        "no line of the journal was to have \"Scheduled restart job\"",
    ] {
        assert!(reasons.contains(said), "there is no {said:?} in: {reasons}");
    }
}

pub fn a_start_that_is_tried_for_ever_is_not_given_up(backend: Backend) {
    // The first start succeeds, every later one fails, and no start limit ends that.
    let once = "/bin/sh -c 'test ! -e /run/started && touch /run/started'";
    let mut scenario =
        set(set(scenario("start-limit"), "ExecStartPre", &format!("+{once}")), "RestartSec", "300ms");
    scenario.service.overrides.insert(
        "Unit".into(),
        [("StartLimitIntervalSec".to_owned(), vec!["0".to_owned()])].into_iter().collect(),
    );
    let trial = backend.trial(&set(scenario, "TimeoutStartSec", "1s"));
    let reasons = reasons(&trial.verdict);
    assert!(reasons.contains("systemd has not given the service up"), "{reasons}");
}
