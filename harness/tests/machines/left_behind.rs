//! Of what a main process leaves behind when it ends: whether systemd waits for it is `KillMode=`'s to say.

use std::time::Duration;

use harness::model::bound::Bound;
use harness::model::result::TrialResult;

use crate::lab::{Backend, scenario, set};

/// A server with a child that takes no notice of SIGTERM and SIGABRT, and so outlives it.
const WITH_A_STUBBORN_CHILD: &str = "/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- \
    /bin/sh -c '(trap \"\" TERM ABRT; while :; do sleep 1; done) & exec /usr/local/bin/buggy_server'";

/// The only trial, how long the service was down after its main process had ended, and the bound of that.
fn restart(backend: Backend, fault: &str, kill_mode: &str) -> (TrialResult, Duration, Bound) {
    let unit = set(set(scenario(fault), "ExecStart", WITH_A_STUBBORN_CHILD), "TimeoutStopSec", "2s");
    let mut scenario = set(unit, "KillMode", kill_mode);
    scenario.expect.recovery_within = Some("10s".into());
    let mut run = backend.try_run(&scenario, 1).result.expect("a result");
    let trial = run.trials.pop().expect("a trial");
    assert!(trial.verdict.is_pass(), "{fault}, {kill_mode}: {:?}\n{:?}", trial.verdict, trial.last_lines);
    let took = trial.timeline.phases.restart.expect("it was started again").length();
    (trial, took, run.bounds.restart.expect("bounded"))
}

pub fn what_a_main_process_leaves_behind_is_waited_for_as_systemd_does(backend: Backend) {
    // The watchdog has SIGABRT sent to all, and a process that crashes alone is missed when it is gone.
    for fault in ["mute", "crash"] {
        let (trial, took, bound) = restart(backend, fault, "control-group");
        assert!((2000..4000).contains(&took.as_millis()), "{fault}: {took:?} {:?}", trial.timeline.events);
        assert_eq!(bound.sum, "left-over processes 2 × TimeoutStopSec 2 s", "{fault}");
        assert_eq!(bound.at_most, Duration::from_secs(4));
    }
}

pub fn what_a_main_process_leaves_behind_is_killed_at_once_or_left_where_kill_mode_says_so(backend: Backend) {
    for kill_mode in ["mixed", "process"] {
        let (_, took, bound) = restart(backend, "crash", kill_mode);
        assert!(took < Duration::from_millis(1500), "{kill_mode}: {took:?}");
        let is_killed = kill_mode == "mixed";
        assert_eq!(bound.sum.starts_with("left-over processes"), is_killed, "{kill_mode}: {}", bound.sum);
    }
}
