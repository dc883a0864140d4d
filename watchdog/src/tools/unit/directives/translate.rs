//! Directives that get another value.

use std::time::Duration;

use super::decide::{Setting, Subject};
use super::difference::names_as_before;
use super::facts::Facts;
use super::reach::{self, Reach};
use super::signals;
use crate::systemd::shall_restart::covers_watchdog;
use crate::tools::unit::{UnitError, path, quote};
use crate::unit::Value;
use crate::unit::value::span;
use crate::unit::words::Meaning;

/// What a hung process has to be gone or to dump core, unless the unit says it.
const ABORT: Duration = Duration::from_secs(10);

/// Everything that is set besides `Type=`, `NotifyAccess=`, `WatchdogSec=` and `ExecStart=`, of a unit that is known.
pub fn all(subject: &Subject<'_>, facts: Facts<'_>) -> Result<Vec<Setting>, UnitError> {
    let settings = [
        abort_timeout(facts),
        restart(facts),
        pid_file(facts)?,
        identifier(subject, facts),
        there(subject, facts)?,
        families(subject, facts),
        capabilities(subject, facts),
    ];
    Ok(settings.into_iter().flatten().collect())
}

/// The same of one that is not.
pub fn of_unknown() -> Vec<Setting> {
    vec![
        abort(),
        Setting::new(
            "After a hang and after a crash. Take this out if the unit says it, or more, itself.",
            ["Restart=on-failure".to_owned()],
        ),
        Setting::new(
            "Should the unit have one: systemd would follow the process in it, and hear sd-watchdog no more.",
            ["PIDFile=".to_owned()],
        ),
    ]
}

fn abort() -> Setting {
    Setting::new(
        "A hung process gets SIGABRT, and this long to be gone or to dump core; then SIGKILL. The default is TimeoutStopSec=.",
        [format!("TimeoutAbortSec={}", span(ABORT))],
    )
}

/// systemd-system.conf(5), `DefaultTimeoutAbortSec=`: one that is not set is `TimeoutStopSec=`.
pub fn abort_timeout(facts: Facts<'_>) -> Option<Setting> {
    let [abort, stop] =
        ["TimeoutAbortSec", "TimeoutStopSec"].map(|name| facts.0.value(name).and_then(Value::time));
    let is_own = facts.is_set("Service", "TimeoutAbortSec") || abort != stop;
    let is_short = stop.flatten().is_some_and(|stop| stop <= ABORT);
    (!is_own && !is_short).then(self::abort)
}

/// `service_shall_restart` in systemd's src/core/service.c: what it restarts after, it is to be restarted after still.
fn restart(facts: Facts<'_>) -> Option<Setting> {
    let own = facts.text("Restart").unwrap_or("no");
    let (setting, why) = match own {
        own if covers_watchdog(own) => return None,
        "on-success" => {
            ("always", "After a hang systemd has to start it again, as it does after a clean end.")
        }
        "on-abort" => {
            ("on-abnormal", "After a hang systemd has to start it again, as it does after a signal.")
        }
        _ => ("on-watchdog", "After a hang systemd has to start it again; else not, as before."),
    };
    Some(Setting::new(why, [format!("Restart={setting}")]))
}

/// systemd reads it after each start and reload (`service_load_pid_file`), and removes it when the unit is down
/// (`service_enter_dead`, both in its src/core/service.c), as whoever it runs as and outside the unit's sandbox.
fn pid_file(facts: Facts<'_>) -> Result<Option<Setting>, UnitError> {
    let Some(file) = facts.0.value("PIDFile") else { return Ok(None) };
    let file = match file {
        Value::Unresolved(file) => {
            quote(file.as_ref(), Meaning { percent_is_literal: false, dollar_is_literal: true })?
        }
        file => quote(file.text().unwrap_or_default().as_ref(), LITERAL)?,
    };
    let mut why = "With it systemd would follow the process in it, and hear sd-watchdog no more.".to_owned();
    let mut lines = vec!["PIDFile=".to_owned()];
    if !is_out_of_reach(facts) {
        why.push_str(" The file is removed as before.");
        lines.push(format!("ExecStopPost=-+/bin/rm -f {file}"));
    }
    Ok(Some(Setting { why, lines }))
}

/// Whether commands run in another root directory (`apply_root_directory` in systemd's src/core/exec-invoke.c), with the prefix `+`
/// too.
pub fn is_out_of_reach(facts: Facts<'_>) -> bool {
    reach::root_directory(facts).is_some() && !facts.is_yes("RootDirectoryStartOnly")
}

/// `exec_context_syslog_identifier` and its like in systemd: the name of what is executed.
fn identifier(subject: &Subject<'_>, facts: Facts<'_>) -> Option<Setting> {
    let is_set = facts.0.value("SyslogIdentifier").is_some();
    let why =
        "The service's lines are in the journal under its own name (journalctl -t), not under sd-watchdog.";
    let others = if names_as_before(facts.0, Some(subject.identifier)) {
        ""
    } else {
        " So are those of the unit's other commands."
    };
    let line = format!("SyslogIdentifier={}", subject.identifier);
    (!is_set).then(|| Setting { why: format!("{why}{others}"), lines: vec![line] })
}

/// The program is bound to where it is.
fn there(subject: &Subject<'_>, facts: Facts<'_>) -> Result<Option<Setting>, UnitError> {
    let program = subject.program;
    let quoted =
        quote(path(program)?.as_ref(), Meaning { percent_is_literal: true, dollar_is_literal: false })?;
    let mut lines = Vec::new();
    let mut why = String::new();
    if let Reach::Away(by) = reach::of(facts, subject) {
        why = match reach::root(facts) {
            Some(root) => format!(
                "The service sees {root} as /: sd-watchdog must be in there too, with the libraries it is linked to."
            ),
            None => format!("sd-watchdog must be seen behind {by}= too."),
        };
        lines.push(format!("BindReadOnlyPaths={quoted}"));
    }
    if reach::is_noexec(facts, subject) {
        let separator = if why.is_empty() { "" } else { " " };
        why.push_str(separator);
        why.push_str("sd-watchdog must be executable behind NoExecPaths= too.");
        lines.push(format!("ExecPaths={quoted}"));
    }
    Ok((!lines.is_empty()).then_some(Setting { why, lines }))
}

/// The first `~` says that it is a list of what is denied; what is named without one is taken off that.
fn families(subject: &Subject<'_>, facts: Facts<'_>) -> Option<Setting> {
    let missing = missing_families(subject, facts);
    (!missing.is_empty()).then(|| {
        Setting::new(
            "For probes, for systemd, and for the kernel's list of sockets in the hang report; beside the unit's own.",
            [format!("RestrictAddressFamilies={}", missing.join(" "))],
        )
    })
}

/// What we need of them and the unit does not allow.
pub fn missing_families(subject: &Subject<'_>, facts: Facts<'_>) -> Vec<&'static str> {
    let Some(value) = facts.0.value("RestrictAddressFamilies") else { return Vec::new() };
    let families = value.list();
    let denies = families.first().is_some_and(|first| first == "~");
    let mut missing = subject.families();
    missing.retain(|family| families.iter().any(|other| other == family) == denies);
    missing
}

fn capabilities(subject: &Subject<'_>, facts: Facts<'_>) -> Option<Setting> {
    needs_kill(subject, facts).then(|| {
        Setting::new(
            "The service may change its user, and sd-watchdog has to pass signals on to it; beside the unit's own.",
            ["CapabilityBoundingSet=CAP_KILL".to_owned()],
        )
    })
}

/// kill(2): without CAP_KILL root signals only processes of root. What has the prefix `+` has all capabilities.
pub fn needs_kill(subject: &Subject<'_>, facts: Facts<'_>) -> bool {
    let Some(set) = facts.0.value("CapabilityBoundingSet").map(Value::list) else { return false };
    let has = |name: &str| set.iter().any(|other| other == name);
    let flags = subject.flags();
    let may_change_user =
        facts.is_of_root(flags) && !flags.is_privileged && has("CAP_SETUID") && !has("CAP_KILL");
    may_change_user && signals::have_to_be_passed_on(facts)
}

/// Nothing in it means anything.
const LITERAL: Meaning = Meaning { percent_is_literal: true, dollar_is_literal: true };
