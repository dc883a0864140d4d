//! What only later versions of systemd do with what sd-watchdog says.

use std::io::Read as _;
use std::time::Duration;

use harness::machine::Machine;
use harness::scenario::Scenario;
use libtest_mimic::Completion;

use crate::lab::{self, Backend, eventually, only_trial, run_on, scenario, set};

const UNIT: &str = "buggy_server.service";
const WATCHED: &str = "/usr/local/bin/sd-watchdog --http http://127.0.0.1:8080/healthz";

/// Serves, and at SIGHUP is not ready until it may be.
const RELOADER: &str = "\
#!/bin/sh
cd /run/reloader || exit
trap 'rm ready; touch asked; until [ -e granted ]; do sleep 0.05; done; touch ready' HUP
/usr/local/bin/buggy_server &
touch ready
while kill -0 $!; do wait $!; done
";

struct Ward(Box<dyn Machine>);

impl Ward {
    /// A machine with systemd of this version or later; or why the test is to be ignored.
    fn open(backend: Backend, version: u32, what: &str) -> Result<Self, Completion> {
        let mut machine = backend.boot();
        if lab::version(machine.as_ref()) >= version {
            return Ok(Self(machine));
        }
        let own = machine.description().systemd.clone();
        machine.close().expect("closes");
        Err(Completion::ignored_with(format!("{what} needs systemd {version}, and this is {own}")))
    }

    /// Brings a service up.
    fn serve(&self, scenario: &Scenario) {
        let trial = only_trial(run_on(self.0.as_ref(), scenario, 1));
        assert!(trial.verdict.is_pass(), "{:?}\n{}", trial.verdict, trial.last_lines.join("\n"));
    }

    fn sh(&self, command: &str) -> String {
        let output = self.0.run(&["sh", "-c", command], Duration::from_secs(20)).expect("the shell runs");
        assert!(output.status.success(), "{command}: {output:?}");
        output.stdout.trim().to_owned()
    }

    fn shown(&self, property: &str) -> String {
        self.sh(&format!("systemctl show -P {property} {UNIT}"))
    }

    fn journal(&self) -> String {
        self.sh(&format!("journalctl --quiet --no-pager -u {UNIT}"))
    }

    fn close(mut self) -> Completion {
        self.0.close().expect("closes");
        Completion::Completed
    }
}

pub fn a_reload_lasts_until_the_reloaded_service_is_healthy(backend: Backend) -> Completion {
    let ward = match Ward::open(backend, 253, "Type=notify-reload") {
        Ok(ward) => ward,
        Err(ignored) => return ignored,
    };
    ward.0.put("/usr/local/bin/reloader", RELOADER.as_bytes(), 0o755).expect("put");
    let exec = format!("{WATCHED} --exec '/usr/bin/test -e /run/reloader/ready' -- /usr/local/bin/reloader");
    let mut scenario = set(scenario("undisturbed"), "ExecStart", &exec);
    for (directive, value) in
        [("Type", "notify-reload"), ("RuntimeDirectory", "reloader"), ("WatchdogSec", "1min")]
    {
        scenario = set(scenario, directive, value);
    }
    ward.serve(&scenario);
    let before = ward.shown("MainPID");

    let reload = ["sh", "-c", &format!("systemctl reload {UNIT} && echo reloaded; touch /run/returned")];
    let reload = ward.0.start(&reload).expect("starts");
    eventually("COMMAND has its SIGHUP, and sd-watchdog has seen what that does", || {
        ward.sh("ls /run/reloader").contains("asked") && ward.journal().contains("unhealthy: ")
    });
    assert_eq!(ward.shown("ActiveState"), "reloading", "{}", ward.journal());
    assert!(!ward.sh("ls /run").contains("returned"), "the reload lasts");

    ward.sh("touch /run/reloader/granted");
    eventually("systemctl reload returns", || ward.sh("ls /run").contains("returned"));
    let (mut said, end) = reload.split();
    let mut text = String::new();
    said.read_to_string(&mut text).expect("read");
    drop(end);
    assert_eq!(text.trim(), "reloaded", "{}", ward.journal());
    let after = ["ActiveState", "NRestarts", "MainPID"].map(|property| ward.shown(property));
    assert_eq!(after, ["active".into(), "0".into(), before]);
    ward.close()
}

pub fn systemd_forgets_the_restarts_of_a_service_that_was_sound_for_long_enough(
    backend: Backend,
) -> Completion {
    let ward = match Ward::open(backend, 258, "RESTART_RESET=1") {
        Ok(ward) => ward,
        Err(ignored) => return ignored,
    };
    let exec = format!("{WATCHED} --reset-after 2s -- /usr/local/bin/buggy_server");
    ward.serve(&set(scenario("undisturbed"), "ExecStart", &exec));
    ward.sh(&format!("systemctl kill --signal=KILL {UNIT}"));
    eventually("it was restarted", || ward.journal().contains("restart counter is at 1"));
    eventually("it is sound for 2 s", || {
        ward.shown("NRestarts") == "0" && ward.shown("ActiveState") == "active"
    });
    assert_eq!(ward.journal().matches("restart counter is at").count(), 1, "{}", ward.journal());
    ward.close()
}
