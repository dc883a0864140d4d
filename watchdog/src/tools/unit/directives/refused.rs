//! Units that are not wrapped.

use std::path::{Path, PathBuf};

use super::facts::Facts;
use crate::tools::unit::wrapped::{Wrapped, is_ours};
use crate::unit::Command;

/// Why a unit is not wrapped, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum NotWrappable {
    #[error(
        "is Type=forking: its main process is not the one that systemd starts; run it in the foreground (give COMMAND \
         after --), or leave it as it is and use: sd-watchdog guard UNIT"
    )]
    Forking,
    #[error(
        "is Type=dbus: it is ready when it has its name on the bus, which would no longer be waited for; use: \
         sd-watchdog guard UNIT"
    )]
    Dbus,
    #[error("is Type=oneshot: it is to end, so it cannot hang for long; set TimeoutStartSec= instead")]
    Oneshot,
    #[error("has {0} commands in ExecStart=: only one can be the service; give it as COMMAND after --")]
    Several(usize),
    #[error("runs sd-watchdog itself, beside another unit: it is not wrapped in another one")]
    Itself,
    #[error("has no ExecStart=: there is nothing to wrap; give COMMAND after --")]
    Nothing,
    #[error("has {}; use: sd-watchdog guard UNIT", listed(.0))]
    Directives(Vec<Refusal>),
    #[error(
        "has {what}= ({place}), which hides {} from it, so that it could not be started; {remedy}",
        program.display()
    )]
    Hidden { what: &'static str, place: String, program: PathBuf, remedy: &'static str },
    #[error(
        "has {}={} ({}), which {}; mend it first",
        .0.what, .0.value, .0.place, .0.consequence()
    )]
    NoSignal(NoSignal),
}

/// A directive by which a unit is not wrapped, whatever its command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `Delegate`
    pub what: &'static str,
    /// As it is written.
    pub value: String,
    /// Where it was set.
    pub place: Option<String>,
    /// The reason.
    pub why: &'static str,
}

/// A signal to stop the unit by that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSignal {
    /// `KillSignal`
    pub what: String,
    /// As it is written.
    pub value: String,
    /// Where.
    pub place: String,
}

impl NoSignal {
    /// What it comes to.
    pub fn consequence(&self) -> String {
        let does = if self.what == "ReloadSignal" { "has the service reload" } else { "stops the service" };
        format!("is no signal: systemd passes over it, and {does} by another")
    }
}

impl NotWrappable {
    /// As it is said of a unit that is guarded so.
    pub fn instead(&self, guard: &str) -> String {
        self.to_string().replace(super::GUARD, guard)
    }
}

fn listed(refusals: &[Refusal]) -> String {
    let one = |Refusal { what, value, place, why }: &Refusal| {
        let place = place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        format!("{what}={value}{place}: {why}")
    };
    refusals.iter().map(one).collect::<Vec<_>>().join("; and ")
}

/// Its one command, if it can be wrapped.
pub fn command(facts: Facts<'_>) -> Result<&Command, NotWrappable> {
    let commands = facts.0.commands("ExecStart");
    if commands.is_empty() {
        return Err(NotWrappable::Nothing);
    }
    match facts.kind() {
        "forking" => return Err(NotWrappable::Forking),
        "dbus" => return Err(NotWrappable::Dbus),
        "oneshot" => return Err(NotWrappable::Oneshot),
        _ => {}
    }
    match commands {
        [command] if is_ours(command) && Wrapped::of(command).is_none() => Err(NotWrappable::Itself),
        [command] => Ok(command),
        several => Err(NotWrappable::Several(several.len())),
    }
}

/// What else keeps a unit from being wrapped, whatever its command.
pub fn by_directives(facts: Facts<'_>) -> Vec<Refusal> {
    // sched(7): what a process gets by SCHED_RESET_ON_FORK its children do not inherit. systemd sets a policy only if one of
    // these is set (`cpu_sched_set` in its src/core/execute.c).
    let has_policy = ["CPUSchedulingPolicy", "CPUSchedulingPriority"]
        .iter()
        .any(|name| facts.written("Service", name).is_some());
    let resets = facts.written("Service", "CPUSchedulingResetOnFork").and_then(crate::unit::value::flag);
    [
        (
            facts.is_yes("Delegate"),
            "Delegate",
            "sd-watchdog would sit in the control group that the service is to manage, which could enable no controller in it \
             (EBUSY)",
        ),
        (
            facts.text("ExitType") == Some("cgroup"),
            "ExitType",
            "the unit lives on after its main process, and so after the pings",
        ),
        (
            facts.text("KillMode") == Some("none"),
            "KillMode",
            "what hangs is not ended, and another one would be started beside it",
        ),
        (
            has_policy && resets == Some(true),
            "CPUSchedulingResetOnFork",
            "the service would lose its CPUSchedulingPolicy=, since sd-watchdog starts it by a fork",
        ),
    ]
    .into_iter()
    .filter(|(is_so, ..)| *is_so)
    .map(|(_, what, why)| Refusal {
        what,
        value: facts.written("Service", what).unwrap_or("yes").to_owned(),
        place: facts.place("Service", what),
        why,
    })
    .collect()
}

/// `sd-watchdog` cannot be executed behind this directive.
pub fn hidden(facts: Facts<'_>, what: &'static str, program: &Path) -> NotWrappable {
    let place = facts.place("Service", what).unwrap_or_default();
    // What has the prefix + goes there without anything that is bound.
    let remedy = match what {
        "RootDirectory" => "use: sd-watchdog guard UNIT",
        _ => "put sd-watchdog elsewhere, as into /usr/bin",
    };
    NotWrappable::Hidden { what, place, program: program.to_owned(), remedy }
}
