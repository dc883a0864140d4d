//! Starved is not hung: a service that others keep from running, on a real scheduler.

use std::time::Duration;

use harness::machine::Machine;
use harness::model::clock::Usec;
use harness::model::expect::By;
use harness::model::phase::Span;
use harness::scenario::{Injection, Scenario};
use libtest_mimic::Completion;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::lab::{Backend, eventually, fault, only_trial, run_on, scenario, set};

const UNIT: &str = "buggy_server.service";
const WATCHDOG: Duration = Duration::from_secs(10);

/// The service has a CPU on which a real-time process never sleeps, so that it runs for the 50 ms of each second that
/// the kernel keeps for others: three probes in a row come to nothing, and the next second has an answer. Who probes
/// has another CPU.
struct Ward {
    machine: Box<dyn Machine>,
    pid: String,
}

impl Ward {
    /// Up, healthy and starved; or why that cannot be had here.
    fn open(backend: Backend, options: &str) -> Result<Self, String> {
        let allowed = sched_getaffinity(None).map_err(|error| error.to_string())?;
        let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let (Some(cpu), Some(other)) = (cpus.next(), cpus.next()) else {
            return Err("this computer has one CPU, and a service's prober is to have another".into());
        };
        let mut ward = Self { machine: backend.boot(), pid: String::new() };
        for (command, need) in [
            ("chrt --fifo 1 true", "a real-time process, which is not allowed here"),
            (
                "grep --quiet full /sys/fs/cgroup/init.scope/cpu.pressure",
                "CPU pressure of a cgroup (PSI), which this kernel does not tell",
            ),
        ] {
            if ward.sh(command).is_none() {
                ward.close();
                return Err(format!("needs {need}"));
            }
        }
        let exec = format!(
            "/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz --interval 300ms --timeout 200ms \
             {options} -- /usr/bin/taskset -c {cpu} /usr/local/bin/buggy_server"
        );
        let mut scenario = set(scenario("undisturbed"), "ExecStart", &exec);
        for (directive, value) in [("WatchdogSec", "10s"), ("CPUAffinity", &other.to_string())] {
            scenario = set(scenario, directive, value);
        }
        let trial = only_trial(run_on(ward.machine.as_ref(), &scenario, 1));
        assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
        ward.pid = ward.shown("MainPID");
        let hog = format!(
            "[Service]\nCPUSchedulingPolicy=fifo\nCPUSchedulingPriority=1\nCPUAffinity={cpu}\n\
             ExecStart=/bin/sh -c 'while :; do :; done'\n"
        );
        ward.machine.put("/etc/systemd/system/hog.service", hog.as_bytes(), 0o644).expect("put");
        ward.sh("systemctl daemon-reload && systemctl start hog").expect("it is started");
        Ok(ward)
    }

    /// What a command that succeeds prints.
    fn sh(&self, command: &str) -> Option<String> {
        let output = self.machine.run(&["sh", "-c", command], Duration::from_secs(20));
        let output = output.expect("the shell runs");
        output.status.success().then(|| output.stdout.trim().to_owned())
    }

    fn shown(&self, property: &str) -> String {
        self.sh(&format!("systemctl show -P {property} {UNIT}")).expect("systemctl runs")
    }

    fn journal(&self) -> String {
        self.sh(&format!("journalctl --quiet --no-pager -u {UNIT}")).expect("journalctl runs")
    }

    fn close(mut self) {
        self.machine.close().expect("closes");
    }
}

pub fn a_starved_service_has_more_time_to_answer_and_is_not_restarted(backend: Backend) -> Completion {
    let ward = match Ward::open(backend, "") {
        Ok(ward) => ward,
        Err(reason) => return Completion::ignored_with(reason),
    };
    let widened = "% of the time, so it has more time to answer";
    // It is said every 10 s at most: for as long as W every probe needs more than its deadline.
    eventually("deadlines are widened for 10 s", || ward.journal().matches(widened).count() >= 2);
    ward.sh("systemctl stop hog").expect("the hog stops");
    let begin = Usec::now();
    eventually("the service is healthy again", || {
        let pinged = ward.shown("WatchdogTimestampMonotonic").parse().map(Usec);
        pinged.is_ok_and(|pinged| pinged > begin + WATCHDOG / 2)
            && ward.shown("StatusText").starts_with("healthy: ")
    });
    assert_eq!((ward.shown("MainPID"), ward.shown("NRestarts")), (ward.pid.clone(), "0".into()));
    assert!(!ward.journal().contains("hung, "), "{}", ward.journal());
    ward.close();
    Completion::Completed
}

pub fn a_starved_service_is_restarted_where_pressure_is_not_to_count(backend: Backend) -> Completion {
    let ward = match Ward::open(backend, "--pressure off") {
        Ok(ward) => ward,
        Err(reason) => return Completion::ignored_with(reason),
    };
    eventually("the service is restarted", || ward.shown("NRestarts") != "0");
    let journal = ward.journal();
    assert!(
        journal.contains("Watchdog request (last status: hung, 3 probes in a row unhealthy"),
        "{journal}"
    );
    ward.close();
    Completion::Completed
}

/// The question of `starved` without its guard: that the servers serve is what makes it a fair one.
pub fn serves_where_nobody_guards_it(name: &str) {
    let mut scenario = scenario(name);
    scenario.service.overrides.remove("Unit");
    scenario.expect.undisturbed_for = Some("6s".into());
    let server = "/usr/bin/python3 /usr/local/bin/slow_server.py 127.0.0.1:8080 0.15";
    let unguarded = set(set(set(scenario, "ExecStart", server), "Type", "exec"), "WatchdogSec", "0");
    let trial = Backend::Namespace.trial(&unguarded);
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
}

/// The question of `starved-spin`, with hangs that need no CPU: pressure is no excuse for these.
pub fn is_restarted_whatever_the_hang(name: &str) {
    for fault in ["mute", "deadlock", "sigstop"] {
        let scenario =
            Scenario { faults: fault.parse().map(Injection::only).into_iter().collect(), ..scenario(name) };
        let trial = Backend::Namespace.trial(&scenario);
        // Not by the verdict: where sd-watchdog has to wait for a CPU as well, bounds made of timers do not hold.
        let recovery = trial.timeline.phases.recovery.map(Span::length);
        let in_time = recovery.is_some_and(|recovery| recovery < Duration::from_secs(10));
        let seen = format!("{fault}: {:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
        assert!(in_time && trial.timeline.cause() == Some(By::Watchdog), "{seen}");
    }
}

/// A server that answers one client at a time, starved as in `starved`, and then stopped.
pub fn is_restarted_when_it_is_stopped(name: &str) {
    let mut scenario = scenario(name);
    scenario.expect.undisturbed_for = Some("1s".into());
    let mut machine = Backend::Namespace.boot();
    let trial = only_trial(run_on(machine.as_ref(), &scenario, 1));
    assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    let unit = scenario.service.unit_name();
    fault("sigstop").inject(machine.as_ref(), &unit).expect("it is stopped").leave();
    let restarts = || {
        let output = machine.run(&["systemctl", "show", "-P", "NRestarts", &unit], Duration::from_secs(20));
        output.expect("systemctl runs").stdout.trim().to_owned()
    };
    eventually("the stopped server is restarted", || restarts() != "0");
    machine.close().expect("closes");
}
