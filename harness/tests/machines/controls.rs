//! Negative controls: an instrument that cannot fail is none.

use harness::verdict::Verdict;

use crate::lab::{kinds, scenario, trial};

fn reasons(verdict: &Verdict) -> String {
    assert!(!verdict.is_pass(), "this must fail");
    verdict.reasons().join("; ")
}

pub fn a_healthy_service_is_left_alone() {
    let trial = trial(&scenario("undisturbed"));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    assert_eq!(kinds(&trial), [] as [&str; 0], "nothing happens to it");
}

pub fn without_the_watchdog_a_hang_goes_unnoticed_and_the_verdict_says_why() {
    let trial = trial(&scenario("controls/no-watchdog"));
    let reasons = reasons(&trial.verdict);
    assert!(reasons.contains("the watchdog of this unit is off"), "{reasons}");
    assert!(reasons.contains("clients are served no more (no answer in 1 s)"), "{reasons}");
    assert_eq!(kinds(&trial), ["last_good", "injected"]);
}

pub fn pings_without_probes_hide_a_hang_and_the_verdict_says_why() {
    let trial = trial(&scenario("controls/blind-pings"));
    let reasons = reasons(&trial.verdict);
    assert!(reasons.contains("something pings although the service hangs"), "{reasons}");
    assert_eq!(kinds(&trial), ["last_good", "injected"]);
}
