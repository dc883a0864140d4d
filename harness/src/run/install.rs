//! Puts a scenario's unit, drop-in and files into a machine.

use std::fs;
use std::path::PathBuf;

use super::{COMMAND, RunError};
use crate::machine::Machine;
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
        machine.put(target, &read(path)?, if executable { 0o755 } else { 0o644 })?;
    }
    let unit = service.unit_name();
    let text = match service.base {
        None => builtin::UNIT.into(),
        Some(_) => read(resolve(service, &service.unit.to_string_lossy()))?,
    };
    machine.put(&format!("/etc/systemd/system/{unit}"), &text, 0o644)?;
    let drop_in = service.drop_in();
    if !drop_in.is_empty() {
        let path = format!("/etc/systemd/system/{unit}.d/50-hangproof.conf");
        machine.put(&path, drop_in.as_bytes(), 0o644)?;
    }
    machine.run(&["systemctl", "daemon-reload"], COMMAND)?;
    settings(machine, &unit)
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
