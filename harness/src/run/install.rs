//! Puts a scenario's unit, drop-in and files into a machine.

use std::fs;
use std::path::PathBuf;

use super::{COMMAND, RunError};
use crate::journal;
use crate::machine::{Machine, MachineError};
use crate::model::clock::Usec;
use crate::model::settings::{PROPERTIES, Settings};
use crate::model::text;
use crate::programs::Programs;
use crate::scenario::{Service, builtin};

/// Installs the service and returns its settings, except for the watchdog's.
pub fn install(machine: &dyn Machine, service: &Service, programs: &Programs) -> Result<Settings, RunError> {
    for (target, source) in &service.files {
        let path = match source.strip_prefix("bin:") {
            Some(name) => programs.path(name),
            None => resolve(service, source),
        };
        let executable = target.contains("/bin/") || target.contains("/sbin/");
        let put = machine.put(target, &read(path)?, if executable { 0o755 } else { 0o644 });
        put.map_err(|error| match error {
            // A machine whose end is the reason says so itself.
            MachineError::Broken { context, source } if machine.obituary().is_none() => {
                RunError::Target { target: target.clone(), reason: format!("{context}: {source}") }
            }
            error => error.into(),
        })?;
    }
    let unit = service.unit_name();
    let text = match service.base {
        None => builtin::UNIT.into(),
        Some(_) => read(resolve(service, &service.unit.to_string_lossy()))?,
    };
    machine.put(&format!("/etc/systemd/system/{unit}"), &text, 0o644)?;
    let drop_in = service.drop_in();
    if !drop_in.is_empty() {
        machine.put(&drop_in_of(&unit), drop_in.as_bytes(), 0o644)?;
    }
    let reload = ["systemctl", "daemon-reload"];
    machine.run(&reload, COMMAND)?.successful(&reload)?;
    settings(machine, &unit)
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
    if ours.is_empty() { Ok(theirs) } else { Err(RunError::Ignored(ours)) }
}

/// What is only deprecated comes under the same id: "please use MemoryMax= instead".
fn is_ignored(said: &str) -> bool {
    said.to_ascii_lowercase().contains("ignor")
}

fn drop_in_of(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}.d/50-hangproof.conf")
}

/// What the machine's tree does not bring of that which the service requires; `None` if there is all of it.
pub fn missing(machine: &dyn Machine, service: &Service) -> Result<Option<String>, RunError> {
    for (path, package) in &service.requires {
        if !machine.run(&["test", "-e", path], COMMAND)?.status.success() {
            return Ok(Some(format!("needs {path}: apt-get install {package}")));
        }
    }
    Ok(None)
}

/// Reads the unit's settings. systemd shows `WatchdogUSec` only from the first start on (`service_get_watchdog_usec` in systemd's
/// src/core/dbus-service.c).
pub fn settings(machine: &dyn Machine, unit: &str) -> Result<Settings, RunError> {
    let shown =
        machine.run(&["systemctl", "show", &format!("--property={PROPERTIES}"), unit], COMMAND)?.stdout;
    Settings::parse(unit, &shown).map_err(|error| RunError::Unit(error, said_of(machine, unit)))
}

fn resolve(service: &Service, path: &str) -> PathBuf {
    service.base.clone().unwrap_or_default().join(path)
}

fn read(path: PathBuf) -> Result<Vec<u8>, RunError> {
    fs::read(&path).map_err(|source| RunError::File { path, source })
}

/// What systemd has said of a unit that it does not load; nothing if that cannot be had.
fn said_of(machine: &dyn Machine, unit: &str) -> Vec<String> {
    let output = machine.run(&["journalctl", "--quiet", "--output=cat", &format!("--unit={unit}")], COMMAND);
    output
        .map(|output| output.stdout.lines().map(|line| text::one_line(line.into())).collect())
        .unwrap_or_default()
}
