//! Faults as the harness injects them, inside the machine: through `buggy_server`'s own client, or from outside, to any
//! service and without its cooperation.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use server::fault::Fault as InProcess;

use crate::machine::{Machine, MachineError, Output};
use crate::model::clock::Usec;
use crate::model::settings;

/// Where the client of `buggy_server` is in a machine.
pub const CLIENT: &str = "/usr/local/bin/buggy_server";
const SIGNAL: &str = include_str!("fault/signal.sh");
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that can be done to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `buggy_server` does it to itself, on command.
    InProcess(InProcess),
    /// Every process in the unit's cgroup is stopped (SIGSTOP), except for a main process that is `sd-watchdog`: the service
    /// hangs and its guard does not.
    ///
    /// What the kernel does for a stopped process goes on: connections are accepted until the listen queue is full.
    Sigstop,
}

/// A fault that was injected, and when: not before `at`, and entirely by `until`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// From when on the fault may have been in effect: what recovery is measured from.
    pub at: Usec,
    /// When it was in effect for certain.
    pub until: Usec,
    /// Its name.
    pub fault: String,
}

#[derive(Deserialize)]
struct Answer {
    injected_at_monotonic_usec: u64,
}

impl Fault {
    /// Every fault: those in process, then those that need no cooperation.
    pub fn all() -> impl Iterator<Item = Self> {
        InProcess::ALL.into_iter().map(Self::InProcess).chain([Self::Sigstop])
    }

    /// The name by which scenarios order it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProcess(fault) => fault.name(),
            Self::Sigstop => "sigstop",
        }
    }

    /// Injects the fault into the service of `unit`.
    pub fn inject(self, machine: &dyn Machine, unit: &str) -> Result<Injection, MachineError> {
        let (at, until) = match self {
            Self::InProcess(fault) => {
                let at = order(machine, &[CLIENT, "inject", fault.name()])?;
                (at, at)
            }
            Self::Sigstop => signal(machine, unit, "STOP")?,
        };
        Ok(Injection { at, until, fault: self.name().into() })
    }

    /// Ends the fault, where it can be ended.
    pub fn heal(self, machine: &dyn Machine, unit: &str) -> Result<(), MachineError> {
        match self {
            Self::InProcess(_) => run(machine, &[CLIENT, "heal"]).map(drop),
            Self::Sigstop => signal(machine, unit, "CONT").map(drop),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no fault of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such fault")]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::all().find(|fault| fault.name() == name).ok_or(UnknownFault)
    }
}

/// Orders a fault of `buggy_server`, and returns the moment that the server itself names.
fn order(machine: &dyn Machine, argv: &[&str]) -> Result<Usec, MachineError> {
    let answer = run(machine, argv)?.stdout;
    let answer: Answer = serde_json::from_str(&answer).map_err(|error| refused(argv, &error.to_string()))?;
    Ok(Usec(answer.injected_at_monotonic_usec))
}

/// Sends a signal to the unit's processes, and returns between which moments that was.
fn signal(machine: &dyn Machine, unit: &str, signal: &str) -> Result<(Usec, Usec), MachineError> {
    let show = ["systemctl", "show", "--property=ControlGroup,MainPID", unit];
    let shown = run(machine, &show)?.stdout;
    let property = |name: &str| settings::property(&shown, name).unwrap_or_default();
    // Of a unit that does not run it is empty, and below the root is the whole machine.
    if matches!(property("ControlGroup"), "" | "/") {
        return Err(refused(&show, &format!("{unit} has no processes: it does not run")));
    }
    let group = format!("/sys/fs/cgroup{}", property("ControlGroup"));
    let argv = ["sh", "-c", SIGNAL, "signal", signal, &group, property("MainPID")];
    let begin = Usec::now();
    let output = machine.run(&argv, PATIENCE);
    let window = (begin, Usec::now());
    // The script is no part of what a person wants to read.
    let named = ["sh", "signal.sh", signal, &group, property("MainPID")];
    let output = output.map_err(|error| match error {
        MachineError::Command { reason, .. } => refused(&named, &reason),
        error => error,
    })?;
    let read = output.successful(&named)?.stdout;
    Ok(narrowed(window, &read))
}

/// The host knows that it happened within `window`; the uptimes just before and after it, read in the machine, may know
/// that better. Where `/proc/uptime` is of another clock (lxcfs shows a container's own), they say nothing.
fn narrowed((begin, end): (Usec, Usec), uptimes: &str) -> (Usec, Usec) {
    let mut read = uptimes.split_whitespace().map(Usec::of_uptime);
    let (Some(Some((before, _))), Some(Some((_, after)))) = (read.next(), read.next()) else {
        return (begin, end);
    };
    if before > after || before > end || after < begin {
        (begin, end)
    } else {
        (before.max(begin), after.min(end))
    }
}

fn run(machine: &dyn Machine, argv: &[&str]) -> Result<Output, MachineError> {
    machine.run(argv, PATIENCE)?.successful(argv)
}

fn refused(argv: &[&str], reason: &str) -> MachineError {
    MachineError::Command { command: argv.join(" "), reason: reason.trim().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_own_name() {
        for fault in Fault::all() {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        assert_eq!("SIGSTOP".parse::<Fault>(), Err(UnknownFault));
    }

    /// What `/proc/uptime` shows, and some moment at which it does.
    fn uptime() -> (String, Usec) {
        let shown = std::fs::read_to_string("/proc/uptime").expect("readable");
        (shown.split(' ').next().expect("a number").into(), Usec::now())
    }

    #[test]
    fn an_injection_is_as_exact_as_the_better_of_two_clocks() {
        let ((uptime, now), ms) = (uptime(), Duration::from_millis);
        let uptimes = format!("{uptime} {uptime}");
        // The host has seen it within 200 ms: the machine knows better.
        let (at, until) = narrowed((now.before(ms(100)), now + ms(100)), &uptimes);
        assert!(at <= now && until >= at + ms(10) && until - at < ms(50), "{at:?}..{until:?}");
        // The host has seen it within a microsecond: nothing knows better.
        let window = (at + ms(5), at + ms(5) + Duration::from_micros(1));
        assert_eq!(narrowed(window, &uptimes), window);
        // The machine's clock is another one, or none.
        let window = (now.before(ms(100)), now + ms(100));
        for text in ["12.34 12.35", "", "1 soon"] {
            assert_eq!(narrowed(window, text), window, "{text:?}");
        }
    }
}
