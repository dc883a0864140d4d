//! What whoever makes cases does to a machine and hears of it: the conductor of a trial, and the stage of a demo.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::observer::Observer;
use super::{COMMAND, RunError};
use crate::fault::{Active, CLIENT, Fault};
use crate::journal;
use crate::machine::{Machine, MachineError, pressure};
use crate::model::clock::Usec;
use crate::model::moment::{Gauge, Injected, Stalled};
use crate::model::third_witness::{PROPERTIES, PidOne};

/// How late at most inputs were taken in after they were sent, and the journal's entries reached us after they were written.
#[derive(Default)]
pub struct Lateness {
    inputs: Duration,
    journal: Duration,
}

impl Lateness {
    /// What was sent then is taken in now.
    pub fn took(&mut self, sent: Usec) {
        self.inputs = self.inputs.max(Usec::now() - sent);
    }

    /// What was written `at` that moment reached us then.
    pub fn took_entry(&mut self, at: Usec, sent: Usec) {
        self.journal = self.journal.max(sent - at);
    }

    /// How the instrument did since this was looked at last.
    pub fn gauge(&mut self, observer: &Observer) -> Gauge {
        let Self { inputs, journal } = std::mem::take(self);
        let usec = |late: Duration| u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        Gauge {
            observer_late_usec: usec(observer.lateness()),
            conductor_late_usec: usec(inputs),
            journal_late_usec: usec(journal),
        }
    }
}

/// From one look at whether the machine stands still to the next.
const LOOKED: Duration = Duration::from_millis(50);
/// Less than this is nothing to be told, in microseconds.
const TOLD: u64 = 1000;

/// How long the service and the machine around it had to wait for a CPU that others had, looked at every now and then.
pub struct Stalls {
    top: Option<PathBuf>,
    unit: String,
    looked: Usec,
    last: Look,
}

/// What the kernel has counted by one look.
#[derive(Default)]
struct Look {
    machine: Option<Duration>,
    unit: Option<(PathBuf, Duration)>,
    throttled: Duration,
}

impl Look {
    fn at(top: &Path, unit: &str, before: &Self) -> Self {
        let machine = pressure::stalled(top);
        let known = before.unit.as_ref().map(|(path, _)| path.clone()).filter(|path| path.exists());
        let path = known.or_else(|| pressure::of_unit(top, unit));
        let unit = path.and_then(|path| Some((pressure::stalled(&path)?, path)));
        let unit = unit.map(|(stalled, path)| (path, stalled));
        // Where nothing stood still no quota is asked for.
        let is_still = machine == before.machine;
        let throttled = if is_still { before.throttled } else { pressure::throttled(top) };
        Self { machine, unit, throttled }
    }

    /// How long all stood still since `before`, in which the service had something to do: hogs in the machine are none of the computer's,
    /// and what else is in it is none of the service's.
    fn since(&self, before: &Self) -> Option<Duration> {
        let machine = self.machine?.saturating_sub(before.machine?);
        let unit = match (&self.unit, &before.unit) {
            // One that was made anew counts from nothing.
            (Some((_, now)), Some((_, before))) => now.checked_sub(*before).unwrap_or(*now),
            (Some((_, now)), None) => *now,
            // Between two of its lives systemd is at work.
            (None, _) => machine,
        };
        let throttled = self.throttled.saturating_sub(before.throttled);
        Some(machine.min(unit).saturating_sub(throttled))
    }
}

impl Stalls {
    /// From now on.
    pub fn since_now(machine: &dyn Machine, unit: &str) -> Self {
        let top = machine.cgroup();
        let mut last = top.as_deref().map_or_else(Look::default, |top| Look::at(top, unit, &Look::default()));
        last.throttled = top.as_deref().map_or(Duration::ZERO, pressure::throttled);
        Self { top, unit: unit.into(), looked: Usec::now(), last }
    }

    /// What is to be told of it, and when it was; where it is time to look again, or the last look. Of a time in which a fault of ours took
    /// the CPUs nothing is.
    pub fn look(&mut self, is_last: bool, is_ours: bool) -> Option<(Usec, Stalled)> {
        let now = Usec::now();
        if now < self.looked + LOOKED && !is_last {
            return None;
        }
        let look = Look::at(self.top.as_deref()?, &self.unit, &self.last);
        let stalled = look.since(&self.last).filter(|_| !is_ours);
        let since = std::mem::replace(&mut self.looked, now);
        self.last = look;
        let usec = u64::try_from(stalled?.as_micros()).unwrap_or(u64::MAX);
        (usec >= TOLD).then_some((now, Stalled { since, usec }))
    }
}

/// Has PID 1 testify. Of a machine that does not answer the rest is true all the same.
pub fn pid_one(machine: &dyn Machine, unit: &str, within: Duration) -> Option<PidOne> {
    let argv = ["systemctl", "show", &format!("--property={PROPERTIES}"), unit];
    PidOne::parse(&machine.run(&argv, within).ok()?.stdout)
}

/// Injects a fault. Whatever comes of it, what was done is undone when the [`Active`] is dropped.
pub fn inject<'a>(
    machine: &'a dyn Machine,
    unit: &str,
    fault: &Fault,
) -> Result<(Active<'a>, Injected), RunError> {
    let active = fault.inject(machine, unit).map_err(|error| match error {
        MachineError::Command { reason, .. } if fault.is_in_process() => not_buggy(fault, reason),
        MachineError::Command { reason, .. } => RunError::NotInjected { fault: fault.name(), reason },
        error => error.into(),
    })?;
    let until = Some(active.until).filter(|until| *until > active.at);
    let injected = Injected { fault: active.fault.into(), until, deed: fault.deed() };
    Ok((active, injected))
}

/// Ends a fault.
pub fn heal(active: Active) -> Result<(), RunError> {
    let fault = active.fault;
    active.heal().map_err(|error| RunError::NotHealed { fault, error })
}

/// The fault is not for this service.
pub fn not_buggy(fault: &Fault, said: String) -> RunError {
    RunError::NotBuggy { fault: fault.name().into(), client: CLIENT, said }
}

/// Has journald take in all that waits for it, and writes a mark behind that; [`None`] where it could not be written.
pub fn mark(machine: &dyn Machine, namespace: Option<&str>) -> Option<String> {
    let mark = format!("{:016x}", rand::random::<u64>());
    let is_marked = journal::mark(&mark, namespace).iter().all(|argv| {
        let words = argv.iter().map(String::as_str).collect::<Vec<_>>();
        machine.run(&words, COMMAND).is_ok_and(|output| output.status.success())
    });
    is_marked.then_some(mark)
}

/// Why the journal is not to be heard.
pub const DEAF: &str = "the journal was not to be heard: a line written into it did not come back in 10 s";
/// How long a mark may take. journald that does not hand over a line in this time is not to be heard at all.
pub const HEARD: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_computer_is_to_blame_for_is_what_kept_the_service_and_all_its_machine_waiting() {
        let ms = Duration::from_millis;
        let look = |machine: u64, unit: Option<u64>, throttled: u64| Look {
            machine: Some(ms(machine)),
            unit: unit.map(|unit| ("x".into(), ms(unit))),
            throttled: ms(throttled),
        };
        for (before, now, stalled, what) in [
            (look(100, Some(50), 0), look(130, Some(90), 0), 30, "hogs of the machine ran for 10 ms of 40"),
            (look(100, Some(50), 0), look(140, Some(60), 0), 10, "something else of the machine waited"),
            (look(100, Some(50), 0), look(140, Some(90), 25), 15, "a quota"),
            (look(100, Some(50), 0), look(140, Some(90), 90), 0, "several quotas"),
            (look(100, Some(50), 0), look(140, Some(20), 0), 20, "its cgroup was made anew"),
            (look(100, Some(50), 0), look(140, None, 0), 40, "between two lives"),
            (look(100, None, 0), look(140, Some(20), 0), 20, "it has just been started"),
        ] {
            assert_eq!(now.since(&before), Some(ms(stalled)), "{what}");
        }
        assert_eq!(look(1, None, 0).since(&Look::default()), None);
    }
}
