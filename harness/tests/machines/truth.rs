//! Of the instrument itself: what it does where it is late, deaf, or contradicted.

use std::process::{Child, Command, Stdio};

use super::lab::{Backend, hangproof, kinds, programs, root, scenario, set};

/// Takes CPUs away from everybody, until it is dropped.
struct Busy(Vec<Child>);

impl Busy {
    fn loops(count: usize) -> Self {
        let start = || Command::new("yes").stdout(Stdio::null()).spawn().expect("it runs");
        Self((0..count).map(|_| start()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn on_a_starved_host_a_good_service_passes_or_the_trial_is_unsound(_: Backend) {
    let directory = tempfile::tempdir().expect("a directory");
    let report = directory.path().join("r.json");
    // Half a second is what it takes with time to spare.
    let _busy = Busy::loops(std::thread::available_parallelism().map_or(8, |cpus| 4 * cpus.get()));
    let mut run = Command::new(hangproof());
    run.args(["run", "--machine", "namespace", "--trials", "16", "--jobs", "8", "--root"]).arg(root());
    run.arg("--programs").arg(programs().path("buggy_server").parent().expect("a directory"));
    let output =
        run.args(["mute", "--set", "WatchdogSec=1s", "--report"]).arg(&report).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!([Some(0), Some(4)].contains(&output.status.code()), "{text}");
    let document: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(report).expect("a report")).expect("JSON");
    let trials = document["runs"][0]["trials"].as_array().expect("trials");
    assert_eq!(trials.len(), 16, "{text}");
    for trial in trials {
        assert!(["pass", "unsound"].contains(&trial["verdict"].as_str().expect("a word")), "{text}");
        let reason = trial["reasons"][0].as_str().unwrap_or("the instrument was late");
        // Late itself, handed a journal that is late, or told by the kernel that the machine stood still.
        let said = ["the instrument was late", "the journal", "the computer was busy"];
        assert!(said.iter().any(|said| reason.contains(said)), "{reason}");
    }
}

pub fn a_journal_that_is_handed_over_late_is_waited_for(backend: Backend) {
    // Whoever follows the journal is stopped between the end of the hung process, which he has heard of, and the next start, for
    // longer than a service is waited for of which nothing is heard. Two managers halve each "$$".
    let each =
        "for p in /proc/[0-9]*; do read c < $p/comm; test $c != journalctl || kill -$1 ${p#/proc/}; done";
    let deafen = format!("s() {{ {each}; }}; sleep 0.6; s STOP; sleep 4; s CONT").replace('$', "$$$$");
    let run = format!("+/usr/bin/systemd-run --no-block --collect /bin/sh -c '{deafen}'");
    let trial = backend.trial(&set(set(scenario("mute"), "ExecStopPost", &run), "RestartSec", "1s"));
    assert!(trial.verdict.is_pass(), "{:?}\n{:?}", trial.verdict, trial.last_lines);
    assert!(kinds(&trial).contains(&"ready".to_owned()));
}

pub fn a_service_that_logs_into_a_namespace_is_followed_there(backend: Backend) {
    let trial = backend.trial(&set(scenario("mute"), "LogNamespace", "app"));
    assert!(trial.verdict.is_pass(), "{:?}", trial.verdict);
    assert!(kinds(&trial).contains(&"hang_report".to_owned()));
}

pub fn a_service_of_which_the_journal_may_not_be_told_is_known_from_pid_1(backend: Backend) {
    for level in ["notice", "warning", "err"] {
        let mut scenario = set(scenario("mute"), "LogLevelMax", level);
        // sd-watchdog's own report is an entry of level 4.
        scenario.expect.hang_report = (level != "err").then_some(true);
        let trial = backend.trial(&scenario);
        assert!(trial.verdict.is_pass(), "{level}: {:?} {:?}", trial.verdict, kinds(&trial));
        let crashed = backend.trial(&set(self::scenario("crash"), "LogLevelMax", level));
        assert!(crashed.verdict.is_pass(), "{level}: {:?} {:?}", crashed.verdict, kinds(&crashed));
    }
    let healthy = backend.trial(&set(scenario("undisturbed"), "LogLevelMax", "warning"));
    assert!(healthy.verdict.is_pass(), "{:?}", healthy.verdict);
    let result = backend.try_run(&set(scenario("mute"), "LogLevelMax", "emerg"), 1).result.expect("a result");
    assert!(
        result.skipped.as_ref().is_some_and(|reason| reason.contains("LogLevelMax=err at least")),
        "{:?}",
        result.skipped
    );
}
