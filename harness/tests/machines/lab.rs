//! What the tests have in common: scenarios, and runs of them on machines of their own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use harness::fault::Fault;
use harness::machine::{self, Choice, Machine, MachineError, docker, namespace};
use harness::model::result::TrialResult;
use harness::model::verdict::Verdict;
use harness::plan::Case;
use harness::programs::Programs;
use harness::progress::Silent;
use harness::record::Recorder;
use harness::run::inputs::Inputs;
use harness::run::{Ended, Setting, run};
use harness::scenario::Scenario;

/// A scenario that ships, by its path below `scenarios/`.
pub fn scenario(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.toml"));
    Scenario::load(&path.to_string_lossy()).expect("a scenario that ships is valid")
}

/// A fault of the catalogue, with all as by default.
pub fn fault(name: &str) -> Fault {
    name.parse().expect("it is in the catalogue")
}

/// Overrides a directive of `[Service]`.
pub fn set(mut scenario: Scenario, directive: &str, value: &str) -> Scenario {
    let service: &mut BTreeMap<_, _> = scenario.service.overrides.entry("Service".into()).or_default();
    let value = match directive {
        "ExecStart" => vec![String::new(), value.into()],
        _ => vec![value.into()],
    };
    service.insert(directive.into(), value);
    scenario
}

/// The tree whose systemd boots in namespaces.
pub fn root() -> PathBuf {
    std::env::var_os("HANGPROOF_TEST_ROOT").unwrap_or_else(|| "/".into()).into()
}

/// Where a test's machines are booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Namespace,
    Docker,
}

impl Backend {
    /// Whether machines can be booted here.
    pub fn available(self) -> Result<(), MachineError> {
        match self {
            Self::Namespace => namespace::available(&root()).map(drop),
            Self::Docker => docker::available(),
        }
    }

    pub fn boot(self) -> Box<dyn Machine> {
        let choice = match self {
            Self::Namespace => Choice::Namespace,
            Self::Docker => Choice::Docker,
        };
        let image = std::env::var("HANGPROOF_TEST_IMAGE").ok();
        machine::boot(choice, &root(), image.as_deref(), &Silent).expect("a machine boots")
    }

    /// Runs on a machine of its own, with a seed that differs from run to run.
    pub fn try_run(self, scenario: &Scenario, trials: u32) -> Ended {
        let mut machine = self.boot();
        let ended = run_on(machine.as_ref(), scenario, trials);
        machine.close().expect("the machine closes");
        ended
    }

    /// The only trial of a run.
    pub fn trial(self, scenario: &Scenario) -> TrialResult {
        only_trial(self.try_run(scenario, 1))
    }
}

thread_local! {
    static UNSOUND: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Why a trial that this thread has made since this was asked last came to no verdict, if one did.
pub fn forget_unsound() -> Option<String> {
    UNSOUND.take()
}

/// What `hangproof` came to. That it has no verdict of a trial, which its exit code says, is remembered as if the trial had been made
/// here.
pub fn output_of(command: &mut Command) -> Output {
    heard(command.output().expect("hangproof runs"))
}

/// The same of one that was started before.
pub fn heard(output: Output) -> Output {
    const NO_VERDICT: i32 = 4;
    if output.status.code() == Some(NO_VERDICT) {
        // What broke is no verdict either, and is nobody's bad luck.
        let said = String::from_utf8_lossy(&output.stdout);
        said.lines().filter(|line| line.contains("UNSOUND")).take(1).for_each(|line| remember(line.trim()));
    }
    output
}

/// The verdict of a trial that was made elsewhere.
pub fn judged(verdict: &Verdict) -> &Verdict {
    if let Verdict::Unsound { reasons } = verdict {
        remember(reasons.first().map_or("it is unsound", String::as_str));
    }
    verdict
}

fn remember(reason: &str) {
    UNSOUND.set(Some(reason.to_owned()));
}

/// A machine with the programs that are ours.
pub fn with_programs(backend: Backend) -> Box<dyn Machine> {
    let machine = backend.boot();
    for name in ["buggy_server", "sd-watchdog"] {
        let content = std::fs::read(programs().path(name)).expect("it is built");
        machine.put(&format!("/usr/local/bin/{name}"), &content, 0o755).expect("put");
    }
    machine
}

/// That of the machine's systemd: 252 of "252.39-1~deb12u2".
pub fn version(machine: &dyn Machine) -> u32 {
    let own = &machine.description().systemd;
    let major = own.split(|char: char| !char.is_ascii_digit()).next().and_then(|major| major.parse().ok());
    major.expect("a number")
}

/// Runs on this machine.
pub fn run_on(machine: &dyn Machine, scenario: &Scenario, trials: u32) -> Ended {
    let first = u64::from(rand::random::<u32>());
    let (inputs, cases) = (Inputs::default(), Case::all_of(scenario, trials, Some(first)));
    let setting = Setting { machine, scenario, programs: programs(), inputs: &inputs, progress: &Silent };
    let ended = run(&setting, cases, &mut Recorder::default());
    for trial in ended.result.iter().flat_map(|result| &result.trials) {
        judged(&trial.verdict);
    }
    ended
}

/// Everything a scenario may name: of the directory `HANGPROOF_TEST_PROGRAMS`, or brought up to date once.
pub fn programs() -> &'static Programs {
    static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
        let given = std::env::var_os("HANGPROOF_TEST_PROGRAMS").map(PathBuf::from);
        Programs::find(["buggy_server", "sd-watchdog"], given.as_deref(), &Silent).expect("they are there")
    });
    &PROGRAMS
}

pub fn only_trial(ended: Ended) -> TrialResult {
    if let Some(error) = ended.error {
        panic!("the run broke: {error}");
    }
    ended.result.expect("a result").trials.pop().expect("a trial")
}

/// The kinds of a trial's events, in order.
///
/// Without the one that the host decides: whether the service had to wait for a CPU when a probe was judged.
pub fn kinds(trial: &TrialResult) -> Vec<String> {
    let kind =
        |event| serde_json::to_value(event).expect("json")["kind"].as_str().expect("a kind").to_owned();
    trial.timeline.events.iter().map(kind).filter(|kind| kind != "deadline_widened").collect()
}

/// The program under test.
pub fn hangproof() -> PathBuf {
    env!("CARGO_BIN_EXE_hangproof").into()
}

/// Waits for a condition about the outside world, which cannot be waited for in any other way.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    // Nothing is ever sent: receiving is a wait that ends.
    let (_sender, silence) = channel::<()>();
    while !holds() {
        assert!(Instant::now() < deadline, "waited 60 s for this: {what}");
        let _ = silence.recv_timeout(Duration::from_millis(5));
    }
}
