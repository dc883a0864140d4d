//! A unit as it is asked here.

use std::time::Duration;

use crate::tools::unit::wrapped::is_ours;
use crate::unit::{Flags, Scope, Unit, Value};

/// A unit, without a drop-in of ours.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'u>(pub &'u Unit);

impl<'u> Facts<'u> {
    /// A word or a line in `[Service]`.
    pub fn text(self, name: &str) -> Option<&'u str> {
        self.0.value(name).and_then(Value::text)
    }

    /// The same, also where only the system knows it on which the unit runs: as it is written then.
    pub fn text_or_written(self, name: &str) -> Option<&'u str> {
        match self.0.value(name) {
            Some(Value::Text(text) | Value::Unresolved(text)) => Some(text),
            _ => None,
        }
    }

    /// `yes`
    pub fn is_yes(self, name: &str) -> bool {
        self.0.value(name).and_then(Value::flag) == Some(true)
    }

    /// A time that is not infinite.
    pub fn time(self, name: &str) -> Option<Duration> {
        self.0.value(name).and_then(Value::time).flatten()
    }

    /// A list, or the lines of what is known as lines alone.
    pub fn list(self, name: &str) -> &'u [String] {
        self.0.value(name).map(Value::list).unwrap_or_default()
    }

    /// The last assignment that counts, as it is written.
    pub fn written(self, section: &str, name: &str) -> Option<&'u str> {
        let directive = self.0.get(section, name);
        directive.value?;
        directive.set_by.last().map(|assignment| assignment.text.as_str())
    }

    /// Whether anything but systemd's default is in effect.
    pub fn is_set(self, section: &str, name: &str) -> bool {
        self.0.get(section, name).is_set()
    }

    /// Where it was set.
    pub fn place(self, section: &str, name: &str) -> Option<String> {
        self.0.get(section, name).set_by.last().map(|assignment| self.0.place(assignment))
    }

    /// `Type=`, or its default (systemd.service(5)).
    pub fn kind(self) -> &'u str {
        self.text("Type").unwrap_or("simple")
    }

    /// It says READY=1 itself.
    pub fn is_notify(self) -> bool {
        self.kind().starts_with("notify")
    }

    /// Its `ExecStart=` begins with `sd-watchdog` already: `Type=` and `WatchdogSec=` are for that.
    pub fn is_wrapped(self) -> bool {
        matches!(self.0.commands("ExecStart"), [command] if is_ours(command))
    }

    /// A command with these prefixes runs as root, which a user's manager cannot do. `+` and `!` are for what the user is not to do
    /// (systemd.service(5)); a user by a specifier may be any.
    pub fn is_of_root(self, flags: Flags) -> bool {
        let is_root = self.text_or_written("User").is_none_or(|user| matches!(user, "root" | "0"));
        let is_raised = flags.is_privileged || flags.keeps_user;
        self.0.scope == Scope::System && (is_raised || is_root && !self.is_yes("DynamicUser"))
    }

    /// Its own `WatchdogSec=`.
    pub fn watchdog(self) -> Option<Duration> {
        self.time("WatchdogSec").filter(|watchdog| !watchdog.is_zero())
    }

    /// The service pings systemd by itself.
    pub fn pings(self) -> bool {
        self.watchdog().is_some() && !self.is_wrapped()
    }

    /// systemd listens to other processes of the unit too, not only to the main one.
    pub fn hears_all(self) -> bool {
        matches!(self.text("NotifyAccess"), Some("exec" | "all"))
    }

    /// The socket that starts it, and where that was said; [`None`] as the place, if the manager says it.
    pub fn socket(self) -> Option<(String, Option<String>)> {
        let of_manager = self.0.triggered_by().iter().find(|unit| unit.ends_with(".socket"));
        if let Some(socket) = self.list("Sockets").first().or(of_manager) {
            return Some((socket.clone(), self.place("Service", "Sockets")));
        }
        // Without a manager: what a unit has to do with the socket of its own name. Others may be another service's.
        let own = format!("{}.socket", self.0.name.stem());
        let names = [
            ("Unit", "Requires"),
            ("Unit", "BindsTo"),
            ("Unit", "Wants"),
            ("Unit", "After"),
            ("Install", "Also"),
        ];
        let place = names.iter().find_map(|(section, name)| {
            let lines = self.0.get(section, name).value.map(Value::list).unwrap_or_default();
            let has_it = lines.iter().any(|line| line.split_whitespace().any(|word| word == own));
            has_it.then(|| self.place(section, name))
        })?;
        Some((own, place))
    }
}
