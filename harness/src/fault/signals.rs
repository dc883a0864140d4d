//! Signals to a service's processes, and stops: to any service, and without its cooperation.

use super::Target;
use super::act::{Act, Step};
use super::need::Need;
use super::parameter::{Default, Kind, Parameter};
use super::spec::{Family, How, Spec};
use crate::machine::MachineError;
use crate::model::expect::Deed;

const SIGNAL: &str = include_str!("signal.sh");
const FREEZE: &str = include_str!("freeze.sh");
const THAW: &str = include_str!("thaw.sh");

const PROBED: &str = "a watchdog that probes the service has it restarted";
const BY_TIMER: &str = "systemd's own timer: after WatchdogSec= the service gets SIGABRT, and is restarted";

/// The family.
pub fn faults() -> Vec<Spec> {
    vec![sigstop(), kill(), stop_watchdog(), kill_watchdog(), freeze()]
}

/// Sends a signal to processes of the target's cgroup.
fn signal(target: &Target, signal: &str, which: &str) -> Result<Step, MachineError> {
    let arguments = [signal.into(), target.group()?, target.main_pid()?, which.into()];
    Ok(Step::script("signal.sh", SIGNAL, arguments))
}

fn spec(name: &'static str, does: &'static str, deed: Deed, recovery: &'static str, how: How) -> Spec {
    let (parameters, needs) = (Vec::new(), Vec::new());
    Spec {
        name,
        family: Family::Signals,
        does,
        parameters,
        heals: true,
        takes_cpus: false,
        needs,
        deed,
        recovery,
        how,
    }
}

/// Of the unit's cgroup, except for a main process that is `sd-watchdog`: the service hangs and its guard does not.
///
/// What the kernel does for a stopped process goes on: connections are accepted until the listen queue is full.
fn sigstop() -> Spec {
    let processes = Parameter {
        name: "processes",
        kind: Kind::Word(&["all", "main", "one"]),
        default: Default::value("all"),
        does: "which: all; the main one, which is sd-watchdog's command where the service is wrapped; or the youngest",
    };
    let does = "stops the service's processes (SIGSTOP), except for sd-watchdog";
    let how: How = |fault, target| {
        let deed = signal(target, "STOP", &fault.parameters().text("processes"))?;
        Ok(Act { deed, undo: Some(signal(target, "CONT", "all")?) })
    };
    Spec { parameters: vec![processes], ..spec("sigstop", does, Deed::Hangs, PROBED, how) }
}

fn kill() -> Spec {
    let parameter = Parameter {
        name: "signal",
        kind: Kind::Word(&["KILL", "TERM", "ABRT", "SEGV", "INT", "QUIT"]),
        default: Default::value("KILL"),
        does: "which signal",
    };
    let does = "kills the main process, which is sd-watchdog's command where the service is wrapped";
    let recovery = "the process ends, and systemd's Restart= starts it again";
    let how: How = |fault, target| {
        Ok(Act { deed: signal(target, &fault.parameters().text("signal"), "main")?, undo: None })
    };
    Spec { parameters: vec![parameter], heals: false, ..spec("kill", does, Deed::Ends, recovery, how) }
}

/// The service itself goes on serving until systemd misses the pings.
fn stop_watchdog() -> Spec {
    let does = "stops sd-watchdog itself (SIGSTOP), and leaves the service that it runs alone";
    spec("stop-watchdog", does, Deed::Silences, BY_TIMER, |_, target| {
        Ok(Act { deed: signal(target, "STOP", "guard")?, undo: Some(signal(target, "CONT", "guard")?) })
    })
}

fn kill_watchdog() -> Spec {
    let does = "kills sd-watchdog itself (SIGKILL), and leaves the service that it runs alone";
    let recovery =
        "its end is the unit's: systemd ends what is left of the service, and Restart= starts it again";
    let how: How = |_, target| Ok(Act { deed: signal(target, "KILL", "guard")?, undo: None });
    Spec { heals: false, ..spec("kill-watchdog", does, Deed::Ends, recovery, how) }
}

/// Behind systemd's back, which `systemctl freeze` is not. A frozen process takes no signal but SIGKILL (the kernel's
/// Documentation/admin-guide/cgroup-v2.rst), so what systemd sends when the watchdog expires comes to nothing until TimeoutAbortSec=
/// has passed.
fn freeze() -> Spec {
    let does = "freezes all of the unit's cgroup (cgroup.freeze), sd-watchdog included";
    let freezer = Need::Shown {
        what: "cgroup.freeze in the machine (Linux 5.2)",
        test: "[ -e /sys/fs/cgroup/system.slice/cgroup.freeze ]",
    };
    let recovery = "systemd's own timer: after WatchdogSec= comes SIGABRT, which nobody frozen takes, and after TimeoutAbortSec= SIGKILL";
    let how: How = |_, target| {
        let group = target.group()?;
        let undo = Step::script("thaw.sh", THAW, [group.clone()]);
        Ok(Act { deed: Step::timed("freeze.sh", FREEZE, [group]), undo: Some(undo) })
    };
    Spec { needs: vec![freezer], ..spec("freeze", does, Deed::Silences, recovery, how) }
}
