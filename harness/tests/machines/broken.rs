//! A zoo of broken watchdogs, units and servers: each has to fail, for its own reason. An instrument that passes one of them is
//! broken itself.

use std::path::Path;

use harness::model::verdict::Verdict;
use harness::scenario::Scenario;

use super::lab::{Backend, scenario, set};

/// A scenario of the zoo, and the words in which the verdict names what is wrong with it.
const ZOO: [(&str, &str); 11] = [
    ("pings-without-probing", "something pings although the service hangs"),
    ("wrong-port", "something pings although the service hangs"),
    ("notify-access", "nothing was done to the service, yet after"),
    ("simple-without-pings", "nothing was done to the service, yet after"),
    ("restart-no", "the unit has Restart=no"),
    ("restart-on-abort", "the unit has Restart=on-abort, which restarts nothing that the watchdog ended"),
    (
        "exit-zero-on-abort",
        "Restart=on-failure, which restarts nothing that ended without a failure (exit code 0",
    ),
    ("start-limit-too-low", "the start limit was hit"),
    ("abort-timeout-default", "of which kill took 5"),
    ("ready-too-early", "systemd says it was ready after"),
    ("probes-longer-than-watchdog", "the service did not start: exited with code 2"),
];

fn specimen(name: &str) -> Scenario {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    Scenario::load(&directory.join(format!("{name}.toml")).to_string_lossy()).expect("a scenario")
}

pub fn everything_in_the_zoo_fails_for_its_own_reason(backend: Backend) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let shipped = std::fs::read_dir(&directory).expect("it ships").count();
    assert_eq!(shipped, ZOO.len(), "each has its reason here");
    let mut wrong = Vec::new();
    for (name, reason) in ZOO {
        let trial = backend.trial(&specimen(name));
        let is_named = trial.verdict.reasons().iter().any(|said| said.contains(reason));
        if !matches!(trial.verdict, Verdict::Fail { .. }) || !is_named {
            wrong.push(format!("{name}: {reason:?} is not in {:?}", trial.verdict));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What makes the specimen a broken one: to systemd's own watchdog a hang is a failure, whatever the process answers.
pub fn who_exits_with_code_0_on_sigabrt_comes_back_by_systemds_watchdog_and_by_restart_always(
    backend: Backend,
) {
    let shell = "/bin/sh -c 'trap \"exit 0\" ABRT; /usr/local/bin/buggy_server & while :; do wait; done'";
    let guarded = format!("/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz -- {shell}");
    let by_watchdog = set(set(scenario("mute"), "ExecStart", &guarded), "Restart", "on-failure");
    for scenario in [by_watchdog, set(specimen("exit-zero-on-abort"), "Restart", "always")] {
        let trial = backend.trial(&scenario);
        assert!(trial.verdict.is_pass(), "{:?}\n{:?}", trial.verdict, trial.last_lines);
    }
}
