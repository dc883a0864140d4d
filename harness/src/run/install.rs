//! Puts a scenario's unit, drop-in and files into a machine.

use std::path::Path;

use super::{COMMAND, RunError};
use crate::journal;
use crate::machine::Machine;
use crate::model::clock::Usec;
use crate::model::settings::{PROPERTIES, Settings};
use crate::model::text;
use crate::programs::Programs;
use crate::scenario::Service;
use crate::scenario::schema::nearest;
use crate::scenario::service::Source;

mod accounts;
mod controllers;
mod files;
mod names;
mod package;
pub mod unit_files;

/// Installs the service; its settings, except for the watchdog's, and what its user should know.
pub fn install(
    machine: &dyn Machine,
    service: &Service,
    programs: &Programs,
) -> Result<(Settings, Vec<String>), RunError> {
    let unit = service.unit_name();
    if !is_of_tree(service) {
        let text = service.unit.read(programs).map_err(RunError::File)?;
        machine.put(&format!("/etc/systemd/system/{unit}"), &text, 0o644)?;
    }
    let drop_in = service.drop_in();
    if !drop_in.is_empty() {
        machine.put(&drop_in_of(&unit), drop_in.as_bytes(), 0o644)?;
    }
    // A unit that is among them is read with the others.
    let mut owned = files::put(machine, service, programs)?;
    let reload = ["systemctl", "daemon-reload"];
    machine.run(&reload, COMMAND)?.successful(&reload)?;
    let settings = settings(machine, &unit)?;
    package::make_directories(machine, service, &mut owned)?;
    let mut notes = accounts::make(machine, service, owned.owners())?;
    owned.hand_over(machine)?;
    notes.extend(package::create_files(machine, service)?);
    notes.extend(controllers::without_effect(machine, &unit)?);
    if service.enabled {
        let enable = ["systemctl", "enable", &unit];
        let output = machine.run(&enable, COMMAND)?;
        if !output.status.success() || output.stderr.contains("no installation config") {
            return Err(RunError::NotEnabled { unit, said: text::lines(output.stderr.trim().to_owned()) });
        }
    }
    Ok((settings, notes))
}

/// Whether the unit is one that the machine's tree has.
fn is_of_tree(service: &Service) -> bool {
    matches!(&service.unit, Source::Tree(_, path) if path.parent() == Some(Path::new("")))
}

/// What systemd did not understand of the unit when it read it, `since` then: an error where the scenario itself says so, else
/// what it said.
pub fn ignored(machine: &dyn Machine, service: &Service, since: Usec) -> Result<Vec<String>, RunError> {
    let (unit, drop_in) = (&service.unit_name(), service.drop_in());
    let sync = ["journalctl", "--sync"];
    machine.run(&sync, COMMAND)?.successful(&sync)?;
    let argv = journal::misunderstood(unit);
    let words = argv.iter().map(String::as_str).collect::<Vec<_>>();
    let output = machine.run(&words, COMMAND)?.stdout;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    journal::read(output.as_bytes(), |entry| {
        let is_new = entry.at().is_some_and(|at| at >= since);
        if let Some(said) = entry.text("MESSAGE").filter(|said| is_new && is_ignored(said)) {
            let line = entry
                .number::<usize>("CONFIG_LINE")
                .and_then(|line| drop_in.lines().nth(line.checked_sub(1)?));
            let is_ours = entry.has("CONFIG_FILE", &drop_in_of(unit));
            let (all, said) = match (line.filter(|_| is_ours), said.split_once(": ")) {
                // The file is not the user's.
                (Some(line), Some((_, said))) => (&mut ours, format!("{line}: {said}")),
                _ if is_ours => (&mut ours, said),
                _ => (&mut theirs, said),
            };
            let said = text::one_line(said);
            if !all.contains(&said) {
                all.push(said);
            }
        }
        true
    })
    .map_err(RunError::Journal)?;
    if ours.is_empty() {
        return Ok(theirs);
    }
    let known = known(machine);
    Err(RunError::Ignored(ours.into_iter().map(|said| with_nearest(said, &known)).collect()))
}

/// The sections and directives that the machine's systemd knows; nothing where it does not tell.
fn known(machine: &dyn Machine) -> Vec<String> {
    let argv = ["/usr/lib/systemd/systemd", "--dump-configuration-items"];
    let Ok(output) = machine.run(&argv, COMMAND) else { return Vec::new() };
    let names = output.stdout.lines().filter_map(|line| match line.strip_prefix('[') {
        Some(section) => section.strip_suffix(']'),
        None => Some(line.split_once('=')?.0),
    });
    names.map(str::to_owned).collect()
}

/// What is ignored, with what was meant perhaps.
fn with_nearest(said: String, known: &[String]) -> String {
    // `[section]: …`, or `Directive=value: …`.
    let named = match said.strip_prefix('[') {
        Some(section) => section.split_once(']'),
        None => said.split_once('='),
    };
    let name = named.map_or(said.as_str(), |(name, _)| name);
    if known.iter().any(|known| known == name) {
        return said;
    }
    match nearest(name, known.iter().map(String::as_str)) {
        Some(nearest) => format!("{said} Did you mean {nearest}?"),
        None => said,
    }
}

/// What is only deprecated comes under the same id: "please use MemoryMax= instead".
fn is_ignored(said: &str) -> bool {
    said.to_ascii_lowercase().contains("ignor")
}

fn drop_in_of(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}.d/50-hangproof.conf")
}

/// What the machine lacks of that which the service requires; `None` if it has all of it.
pub fn missing(machine: &dyn Machine, service: &Service) -> Result<Option<String>, RunError> {
    for (path, package) in &service.requires {
        if !machine.run(&["test", "-e", path], COMMAND)?.status.success() {
            return Ok(Some(format!("needs {path}: apt-get install {package}")));
        }
    }
    controllers::missing(machine, &service.controllers)
}

/// Why nobody could tell what happens to the service; [`None`] where it can be told.
pub fn unheard(machine: &dyn Machine, settings: &Settings) -> Result<Option<String>, RunError> {
    if settings.hides_its_end() {
        let what = "LogLevelMax= keeps out of the journal what ends the service, and PID 1 remembers it no longer than to the next start";
        return Ok(Some(format!("{what}: LogLevelMax=err at least")));
    }
    let Some(namespace) = &settings.log_namespace else { return Ok(None) };
    if machine.run(&["test", "-e", JOURNAL_OF_NAMESPACE], COMMAND)?.status.success() {
        // Whoever follows a journal that is not there yet does not hear of it later.
        let start = ["systemctl", "start", &format!("systemd-journald@{namespace}.service")];
        machine.run(&start, COMMAND)?.successful(&start)?;
        return Ok(None);
    }
    Ok(Some(format!("LogNamespace= needs {JOURNAL_OF_NAMESPACE}, which comes with systemd 245")))
}

/// What starts a journald for each `LogNamespace=`.
const JOURNAL_OF_NAMESPACE: &str = "/usr/lib/systemd/system/systemd-journald@.socket";

/// Reads the unit's settings. systemd shows `WatchdogUSec` only from the first start on (`service_get_watchdog_usec` in systemd's
/// src/core/dbus-service.c).
pub fn settings(machine: &dyn Machine, unit: &str) -> Result<Settings, RunError> {
    let shown =
        machine.run(&["systemctl", "show", &format!("--property={PROPERTIES}"), unit], COMMAND)?.stdout;
    Settings::parse(unit, &shown).map_err(|error| RunError::Unit(error, said_of(machine, unit)))
}

/// What systemd has said of a unit that it does not load; nothing if that cannot be had.
fn said_of(machine: &dyn Machine, unit: &str) -> Vec<String> {
    let output = machine.run(&["journalctl", "--quiet", "--output=cat", &format!("--unit={unit}")], COMMAND);
    output
        .map(|output| output.stdout.lines().map(|line| text::one_line(line.into())).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_told_with_the_nearest_section_or_directive() {
        let known = ["Unit", "Service", "WatchdogSec", "TimeoutStopSec"].map(str::to_owned);
        for (said, hint) in [
            ("[service]: Unknown section 'service'. Ignoring.", " Did you mean Service?"),
            ("WatchdogSecs=5: Unknown key 'WatchdogSecs', ignoring.", " Did you mean WatchdogSec?"),
            // It is known; the value is what is wrong.
            ("TimeoutStopSec=soon: Failed to parse it, ignoring.", ""),
            ("[X-Mine]: Unknown section, ignoring.", ""),
        ] {
            assert_eq!(with_nearest(said.to_owned(), &known), format!("{said}{hint}"));
        }
    }
}
