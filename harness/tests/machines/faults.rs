//! Faults from outside: each takes effect, is in effect until its guard is dropped, and is nobody else's.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::error::Error;
use harness::fault::parameter::Value;
use harness::fault::{Fault, catalogue};
use harness::machine::{Choice, Machine};
use harness::model::clock::Usec;
use harness::plan::Case;
use harness::progress::Silent;
use harness::record::Recorder;
use harness::run::inputs::Interrupts;
use harness::run::{RunError, Setting, run};
use harness::scenario::{Injection, Scenario};
use libtest_mimic::Completion;

use crate::lab::{Backend, eventually, fault, only_trial, programs, root, run_on, scenario, set};

const PATIENCE: Duration = Duration::from_secs(60);
const SERVER: &str = "buggy_server.service";
const DISK: &str = "disk.service";
/// The service is served, as its clients see it: by a busy computer too.
const SERVED: &str = "sd-watchdog check --http http://127.0.0.1:8080/ --timeout 3s";

/// A fault, the service it is for, what is decided about it, and what holds only while it is in effect: a condition of a shell, to
/// which `$main` is the service's main process, `$command` what sd-watchdog runs, and `$group` the cgroup.
type Lasting = (&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str);

const LASTING: [Lasting; 13] = [
    ("sigstop", &[], SERVER, "grep -q ^State:.T /proc/$command/status"),
    ("sigstop", &[("processes", "main")], SERVER, "grep -q ^State:.T /proc/$command/status"),
    ("sigstop", &[("processes", "one")], SERVER, "grep -q ^State:.T /proc/$command/status"),
    ("stop-watchdog", &[], SERVER, "grep -q ^State:.T /proc/$main/status"),
    ("freeze", &[], SERVER, "grep -q 'frozen 1' $group/cgroup.events"),
    ("port-drop", &[], SERVER, "! $served"),
    ("loss", &[("percent", "100")], SERVER, "! $served"),
    ("resolver-down", &[], SERVER, "nft list table inet hangproof_resolver_down"),
    ("cpu-starve", &[], SERVER, "xargs kill -0 </run/hangproof-hogs"),
    ("notify-socket-full", &[], SERVER, NO_ROOM),
    (
        "memory-pressure",
        &[],
        DISK,
        "[ \"$(prlimit --pid $command --as --output SOFT --noheadings --raw)\" != unlimited ]",
    ),
    ("disk-full", &[("path", "/var/lib/disk")], DISK, "! $served"),
    ("io-hang", &[("path", "/var/lib/disk/page")], DISK, "! $served"),
];

/// Of 100 who send one datagram to systemd's notify socket, and do not wait, some find no room: a place is free from when systemd reads
/// until one who waits has woken up, which can be most of the time. Where nobody floods it, 100 do not fill it.
const NO_ROOM: &str = "python3 -c '
import socket, time
socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
socket.connect(\"/run/systemd/notify\")
refused = 0
for _ in range(100):
    try: socket.send(b\"\")
    except BlockingIOError: refused += 1
    time.sleep(0.002)
print(refused)
exit(refused < 5)'";

fn sh(machine: &dyn Machine, script: &str) -> bool {
    machine.run(&["sh", "-c", script], PATIENCE).expect("the shell runs").status.success()
}

/// What conditions know of a service that is up. systemd is asked beforehand: flooded, it does not answer.
fn known(machine: &dyn Machine, unit: &str) -> String {
    let ask = format!(
        "main=$(systemctl show -P MainPID {unit})\n\
         command=$(pgrep -x -P $main 'buggy_server|python3')\n\
         echo main=$main command=$command group=/sys/fs/cgroup/system.slice/{unit}"
    );
    let output = machine.run(&["sh", "-c", &ask], PATIENCE).expect("the shell runs");
    format!("served='{SERVED}' {}", output.stdout)
}

/// Of the catalogue, with this decided.
fn decided(name: &str, said: &[(&'static str, &str)]) -> Fault {
    let spec = catalogue().iter().find(|spec| spec.name == name).expect("it is in the catalogue");
    let value = |value: &str| value.parse().map_or_else(|_| Value::Text(value.into()), Value::Number);
    let said = said.iter().map(|(name, text)| (*name, value(text))).collect::<BTreeMap<_, _>>();
    Fault::of(spec, said, Some(8080)).expect("all that it needs")
}

/// The scenario of a service, with a watchdog that takes long enough to act not to get in between.
fn patient(unit: &str) -> Scenario {
    let scenario = match unit {
        SERVER => scenario("undisturbed"),
        _ => Scenario { faults: Vec::new(), expect: scenario("undisturbed").expect, ..scenario("disk-full") },
    };
    set(scenario, "WatchdogSec", "30s")
}

/// What a scenario asks, of a machine that can be asked.
pub fn is_answered(name: &str) -> Completion {
    let scenario = scenario(name);
    let fault = &scenario.faults.first().expect("it is about a fault").fault;
    if let Some(reason) = fault.missing_on_host(Choice::Namespace, &root(), false) {
        return Completion::ignored_with(reason);
    }
    let trial = Backend::Namespace.trial(&scenario);
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    Completion::Completed
}

/// A machine in which a service is up.
fn serving(backend: Backend, unit: &str) -> Box<dyn Machine> {
    let machine = backend.boot();
    let trial = only_trial(run_on(machine.as_ref(), &patient(unit), 1));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    machine
}

pub fn each_fault_is_in_effect_until_its_guard_is_dropped(backend: Backend) -> Completion {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        return Completion::ignored_with("needs /usr/bin/python3: apt-get install python3");
    }
    let mut tried = 0;
    for unit in [SERVER, DISK] {
        let mut machine = serving(backend, unit);
        for (name, said, _, condition) in LASTING.iter().filter(|(_, _, of, _)| *of == unit) {
            let fault = decided(name, said);
            if let Some(reason) = fault.missing_in(machine.as_ref()).expect("it can be told") {
                assert!(std::env::var_os("CI").is_none(), "{name} {reason}");
                continue;
            }
            let condition = known(machine.as_ref(), unit) + condition;
            let holds = || sh(machine.as_ref(), &condition);
            assert!(!holds(), "{fault}: before");
            let begin = Usec::now();
            let active = fault.inject(machine.as_ref(), unit).expect("injected");
            let (at, until) = (active.at, active.until);
            assert!(begin <= at && at <= until && until <= Usec::now(), "{fault}: {at:?} {until:?}");
            assert!(holds(), "{fault}: in effect");
            drop(active);
            assert!(!holds(), "{fault}: healed");
            // What was told that there is no memory may have come to harm.
            let restart = format!("systemctl reset-failed {unit} && systemctl restart {unit}");
            assert!(sh(machine.as_ref(), &restart) && sh(machine.as_ref(), SERVED), "{fault}: started again");
            tried += 1;
        }
        machine.close().expect("closes");
    }
    assert!(tried > 8, "{tried}");
    Completion::Completed
}

pub fn a_fault_that_could_not_be_injected_leaves_nothing_behind(backend: Backend) {
    let mut machine = serving(backend, SERVER);
    // /usr is no tmpfs: it is not filled. There is no such file: nothing is bound over it.
    for (name, path, said) in
        [("disk-full", "/usr", "is on no tmpfs"), ("io-hang", "/nowhere", "has no file")]
    {
        let error = decided(name, &[("path", path)]).inject(machine.as_ref(), SERVER).err();
        assert!(error.as_ref().is_some_and(|error| error.to_string().contains(said)), "{name}: {error:?}");
    }
    let command = |words: &[&str]| Value::List(words.iter().map(ToString::to_string).collect());
    let said = BTreeMap::from([
        ("run", command(&["sh", "-c", "touch /run/done-half; exit 7"])),
        ("undo", command(&["rm", "/run/done-half"])),
    ]);
    let spec = catalogue().iter().find(|spec| spec.name == "exec").expect("it is in the catalogue");
    let exec = Fault::of(spec, said, None).expect("all that it needs");
    assert!(exec.inject(machine.as_ref(), SERVER).is_err());
    assert!(sh(machine.as_ref(), "[ ! -e /run/done-half ]"), "what was done is undone");
    assert!(sh(machine.as_ref(), SERVED));
    machine.close().expect("closes");
}

pub fn a_fault_that_is_not_for_this_service_is_said_to_be_the_scenarios_mistake(backend: Backend) {
    let unguarded = set(scenario("stop-watchdog"), "ExecStart", "/usr/local/bin/buggy_server --notify=gated");
    let error = backend.try_run(&unguarded, 1).error.expect("there is no sd-watchdog to stop");
    let said = "stop-watchdog could not be injected: the main process is not sd-watchdog";
    assert!(error.to_string().starts_with(said), "{error}");
    assert_eq!(Error::from(error).exit_code(), 2);
}

pub fn where_nobody_watches_a_stopped_guard_goes_unnoticed_and_the_verdict_says_why(backend: Backend) {
    let verdict = backend.trial(&scenario("controls/stop-watchdog-unwatched")).verdict;
    let reasons = verdict.reasons().join("; ");
    assert!(!verdict.is_pass(), "this must fail");
    assert!(reasons.contains("nobody watched the service any more, and nothing came of it"), "{reasons}");
    assert!(reasons.contains("the watchdog of this unit is off"), "{reasons}");
}

pub fn a_trial_that_is_interrupted_heals_what_it_did(backend: Backend) {
    let mut machine = backend.boot();
    let mut scenario = patient(SERVER);
    scenario.faults = vec![Injection::only(decided("port-drop", &[]))];
    scenario.expect.undisturbed_for = Some("10min".into());
    let interrupts = Interrupts::default();
    let inputs = interrupts.inputs();
    let setting = Setting {
        machine: machine.as_ref(),
        scenario: &scenario,
        programs: programs(),
        inputs: &inputs,
        progress: &Silent,
    };
    let is_cut = || sh(machine.as_ref(), "nft list table inet hangproof_port_drop");
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("the port is cut off", is_cut);
            interrupts.interrupt();
        });
        run(&setting, Case::all_of(&scenario, 1, None), &mut Recorder::default())
    });
    assert!(matches!(ended.error, Some(RunError::Interrupted)), "{:?}", ended.error.map(|e| e.to_string()));
    assert!(!is_cut(), "healed");
    assert!(sh(machine.as_ref(), SERVED));
    machine.close().expect("closes");
}

pub fn a_trial_leaves_the_machine_to_the_next_as_it_found_it(backend: Backend) {
    let mut machine = backend.boot();
    let mut scenario = patient(SERVER);
    scenario.faults = vec![Injection::only(decided("port-drop", &[]))];
    // Hung, and left as it is: only by healing does the next trial find a service that serves.
    let ended = run_on(machine.as_ref(), &scenario, 3);
    let trials = ended.result.expect("a result").trials;
    assert!(ended.error.is_none() && trials.len() == 3, "{:?}", ended.error.map(|error| error.to_string()));
    for trial in trials {
        assert!(trial.verdict.is_pass(), "{:?}", trial.verdict);
    }
    machine.close().expect("closes");
}

pub fn what_is_done_in_one_machine_is_not_done_to_the_host_or_to_another(backend: Backend) {
    let (mut one, mut other) = (serving(backend, SERVER), serving(backend, SERVER));
    let tables = || {
        let output = std::process::Command::new("nft").args(["list", "tables"]).output();
        output.map(|output| output.stdout).unwrap_or_default()
    };
    let before = tables();
    let faults = ["port-drop", "freeze", "sigstop", "daemon-reexec", "journald-kill"].map(fault_with_port);
    let active = faults.each_ref().map(|fault| fault.inject(one.as_ref(), SERVER).expect("injected"));
    assert!(!sh(one.as_ref(), SERVED), "it is in effect there");
    assert!(sh(other.as_ref(), SERVED), "and not here");
    assert_eq!(tables(), before, "nor on the host");
    drop(active);
    assert!(sh(one.as_ref(), SERVED), "healed");
    for machine in [&mut one, &mut other] {
        machine.close().expect("closes");
    }
}

fn fault_with_port(name: &str) -> Fault {
    if name == "port-drop" { decided(name, &[]) } else { fault(name) }
}
