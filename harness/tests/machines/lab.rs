//! What the tests have in common: scenarios, and runs of them on machines of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use harness::machine::Machine;
use harness::machine::namespace::NamespaceMachine;
use harness::progress::Silent;
use harness::record::Recorder;
use harness::result::{RunResult, TrialResult};
use harness::run::inputs::Inputs;
use harness::run::{Options, RunError, run};
use harness::scenario::{Scenario, Value};

/// A scenario that ships, by its path below `scenarios/`.
pub fn scenario(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.toml"));
    Scenario::load(&path.to_string_lossy()).expect("a scenario that ships is valid")
}

/// Overrides a directive of `[Service]`.
pub fn set(mut scenario: Scenario, directive: &str, value: &str) -> Scenario {
    let service: &mut BTreeMap<_, _> = scenario.service.overrides.entry("Service".into()).or_default();
    let value = match directive {
        "ExecStart" => Value::List(vec![String::new(), value.into()]),
        _ => Value::Text(value.into()),
    };
    service.insert(directive.into(), value);
    scenario
}

pub fn boot() -> NamespaceMachine {
    NamespaceMachine::boot(Path::new("/")).expect("a machine boots")
}

/// Runs on a machine of its own, with a seed that differs from run to run.
pub fn try_run(scenario: &Scenario, trials: u32) -> Result<RunResult, RunError> {
    let mut machine = boot();
    let result = run_on(&machine, scenario, trials);
    machine.close().expect("the machine closes");
    result
}

/// Runs on this machine.
pub fn run_on(machine: &dyn Machine, scenario: &Scenario, trials: u32) -> Result<RunResult, RunError> {
    let options = Options { trials, seed: rand::random() };
    run(machine, scenario, &options, &Inputs::default(), &Silent, &mut Recorder::default())
}

/// The only trial of a run.
pub fn trial(scenario: &Scenario) -> TrialResult {
    let mut result = try_run(scenario, 1).expect("the run ends");
    result.trials.pop().expect("one trial")
}

/// The kinds of a trial's events, in order.
pub fn kinds(trial: &TrialResult) -> Vec<String> {
    let kind =
        |event| serde_json::to_value(event).expect("json")["kind"].as_str().expect("a kind").to_owned();
    trial.timeline.events.iter().map(kind).collect()
}

/// The program under test.
pub fn hangproof() -> PathBuf {
    env!("CARGO_BIN_EXE_hangproof").into()
}

/// Waits for a condition about the outside world, which cannot be waited for in any other way.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    // Nothing is ever sent: receiving is a wait that ends.
    let (_sender, silence) = channel::<()>();
    while !holds() {
        assert!(Instant::now() < deadline, "waited 20 s for this: {what}");
        let _ = silence.recv_timeout(Duration::from_millis(5));
    }
}
