//! What the server does to itself is found, ended or left alone as its catalogue says, and as its scenarios ask.

use harness::model::result::TrialResult;

use crate::lab::{Backend, kinds, scenario, set};

/// The scenario of that name, which must pass.
fn passes(backend: Backend, name: &str) -> TrialResult {
    let trial = backend.trial(&scenario(name));
    let lines = || trial.last_lines.join("\n");
    assert!(trial.verdict.is_pass(), "{name}: {:?}\n{:#?}\n{}", trial.verdict, trial.timeline, lines());
    trial
}

/// The scenario of that name, which must fail, and for this reason.
fn fails(backend: Backend, name: &str, reason: &str) {
    let trial = backend.trial(&scenario(name));
    let reasons = trial.verdict.reasons().join("; ");
    assert!(!trial.verdict.is_pass() && reasons.contains(reason), "{name}: {:?}", trial.verdict);
}

const UNNOTICED: &str = "something pings although the service hangs";

pub fn workers_that_wait_for_a_silent_peer_are_found(backend: Backend) {
    passes(backend, "block-runtime");
}

pub fn a_server_without_descriptors_is_found(backend: Backend) {
    passes(backend, "fd-leak");
}

pub fn an_answer_that_never_ends_is_found_by_who_waits_for_its_end(backend: Backend) {
    passes(backend, "drip");
    fails(backend, "controls/drip-head-only", UNNOTICED);
}

pub fn a_half_dead_server_is_found_by_who_asks_what_clients_ask(backend: Backend) {
    passes(backend, "half");
    fails(backend, "controls/half-health-only", UNNOTICED);
}

pub fn a_wrong_body_is_found_by_who_reads_it(backend: Backend) {
    passes(backend, "wrong-body");
    fails(backend, "controls/wrong-body-unread", UNNOTICED);
}

pub fn a_server_that_vouches_for_itself_is_found_by_who_looks(backend: Backend) {
    passes(backend, "self-ping");
    fails(backend, "controls/self-ping-alone", UNNOTICED);
}

pub fn a_server_that_ignores_sigabrt_is_ended_by_sigkill(backend: Backend) {
    let trial = passes(backend, "stubborn");
    let kinds = kinds(&trial);
    assert!(kinds.iter().filter(|kind| *kind == "killed").count() >= 2, "by both signals: {kinds:?}");
}

pub fn a_server_that_is_slow_is_left_alone_unless_it_is_too_slow(backend: Backend) {
    passes(backend, "slow");
    fails(backend, "controls/slow-beyond-deadline", "the service was to be left alone");
}

pub fn a_server_that_is_mute_for_a_moment_is_left_alone_unless_it_is_for_long(backend: Backend) {
    passes(backend, "brief");
    fails(backend, "controls/brief-for-long", "the service was to be left alone");
}

pub fn a_server_that_ends_comes_back_unless_its_unit_says_no(backend: Backend) {
    for name in ["exit", "segfault", "memory-leak"] {
        passes(backend, name);
        let trial = backend.trial(&set(scenario(name), "Restart", "no"));
        let reasons = trial.verdict.reasons().join("; ");
        assert!(reasons.contains("Restart=no"), "{name}: {:?}", trial.verdict);
    }
}
