//! The service that a fault is injected into, as systemd knows it.

use std::cell::OnceCell;
use std::time::Duration;

use super::act::refused;
use crate::machine::{Machine, MachineError};
use crate::model::settings;

const PATIENCE: Duration = Duration::from_secs(10);
const PROPERTIES: &str = "ControlGroup,MainPID";

/// A service in a machine. systemd is asked about it when a fault wants to know, and once.
pub struct Target<'a> {
    machine: &'a dyn Machine,
    unit: &'a str,
    shown: OnceCell<String>,
}

impl<'a> Target<'a> {
    /// That of a unit.
    pub const fn of(machine: &'a dyn Machine, unit: &'a str) -> Self {
        Self { machine, unit, shown: OnceCell::new() }
    }

    /// The unit's name.
    pub const fn unit(&self) -> &'a str {
        self.unit
    }

    /// The directory of its cgroup in the machine.
    ///
    /// # Errors
    /// [`MachineError::Command`] where it does not run.
    pub fn group(&self) -> Result<String, MachineError> {
        match self.property("ControlGroup")?.as_str() {
            // Of a unit that does not run it is empty, and below the root is the whole machine.
            "" | "/" => {
                let reason = format!("{} has no processes: it does not run", self.unit);
                Err(refused(&["systemctl", "show", self.unit], &reason))
            }
            group => Ok(format!("/sys/fs/cgroup{group}")),
        }
    }

    /// Its main process; `0` where there is none.
    pub fn main_pid(&self) -> Result<String, MachineError> {
        self.property("MainPID")
    }

    fn property(&self, name: &str) -> Result<String, MachineError> {
        if self.shown.get().is_none() {
            let show = ["systemctl", "show", &format!("--property={PROPERTIES}"), self.unit];
            let shown = self.machine.run(&show, PATIENCE)?.successful(&show)?.stdout;
            drop(self.shown.set(shown));
        }
        let shown = self.shown.get().map_or("", String::as_str);
        Ok(settings::property(shown, name).unwrap_or_default().to_owned())
    }
}
