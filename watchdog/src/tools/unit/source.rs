//! What of a unit matters for the drop-in that wraps it.

use std::time::Duration;

use nix::libc::{SIGKILL, SIGSTOP, SIGTERM};

use crate::service::signals;
use crate::systemd::shall_restart::covers_watchdog;
use crate::unit::{Command, Unit, UnitFile, Value};

/// A unit, without a drop-in that we printed before, which the new one takes the place of.
#[derive(Debug, Clone)]
pub struct Source(Unit);

/// Why a unit cannot be wrapped, and what to do instead.
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
    #[error("has no ExecStart=: there is nothing to wrap; give COMMAND after --")]
    Nothing,
}

impl Source {
    /// Of a unit.
    pub fn new(unit: &Unit) -> Self {
        Self(unit.without(is_ours))
    }

    /// The unit itself.
    pub fn unit(&self) -> &Unit {
        &self.0
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.value(name).and_then(Value::text)
    }

    /// Its one command, if it can be wrapped.
    pub fn exec_start(&self) -> Result<&Command, NotWrappable> {
        let commands = self.0.commands("ExecStart");
        if commands.is_empty() {
            return Err(NotWrappable::Nothing);
        }
        match self.kind() {
            "forking" => return Err(NotWrappable::Forking),
            "dbus" => return Err(NotWrappable::Dbus),
            "oneshot" => return Err(NotWrappable::Oneshot),
            _ => {}
        }
        match commands {
            [command] => Ok(command),
            several => Err(NotWrappable::Several(several.len())),
        }
    }

    /// `Type=`, or its default (systemd.service(5)).
    pub fn kind(&self) -> &str {
        self.text("Type").unwrap_or("simple")
    }

    /// Its own `WatchdogSec=`, by which it pings itself.
    pub fn watchdog(&self) -> Option<Duration> {
        self.0.value("WatchdogSec").and_then(Value::time).flatten().filter(|watchdog| !watchdog.is_zero())
    }

    /// The signals that systemd stops it with, except for SIGTERM and those that no process sees.
    pub fn stop_signals(&self) -> Vec<String> {
        let given = ["KillSignal", "RestartKillSignal"];
        let numbers = given.iter().filter_map(|name| self.0.value(name)?.signal());
        let mut numbers: Vec<i32> =
            numbers.filter(|number| ![SIGTERM, SIGKILL, SIGSTOP].contains(number)).collect();
        numbers.dedup();
        numbers.into_iter().map(signals::name).collect()
    }

    /// Its `Restart=`, if systemd restarts it after a watchdog's timeout.
    pub fn restart(&self) -> Option<&str> {
        self.text("Restart").filter(|setting| covers_watchdog(setting))
    }

    /// `RootDirectory=` or `RootImage=`
    pub fn root(&self) -> Option<&str> {
        let root = self.text("RootDirectory").filter(|root| *root != "/");
        root.or_else(|| self.text("RootImage"))
    }

    /// `ExecStop=`, as it is written.
    pub fn exec_stop(&self) -> Vec<String> {
        let commands = self.0.commands("ExecStop").iter();
        commands.map(|command| Value::Commands(vec![command.clone()]).to_string()).collect()
    }

    /// `RestrictAddressFamilies=` names those that it may have.
    pub fn restricts_address_families(&self) -> bool {
        let families = self.0.value("RestrictAddressFamilies");
        families.is_some_and(|families| families.list().first().is_none_or(|first| first != "~"))
    }
}

/// Whether a file is a drop-in of ours: its first line says it.
fn is_ours(file: &UnitFile) -> bool {
    let is_ours = |line: &str| line.starts_with('#') && line.contains("(sd-watchdog unit --drop-in)");
    file.text.lines().any(is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::UnitName;

    fn source(service: &str) -> Source {
        let name = UnitName::new("a").expect("a name");
        let text = format!("[Service]\n{service}\n");
        Source::new(&Unit::of_texts(&name, [("/a.service", text.as_bytes())]))
    }

    #[test]
    fn a_unit_that_cannot_be_wrapped_is_told_from_one_that_can() {
        for (service, expected) in [
            ("ExecStart=/bin/a", Ok("/bin/a")),
            ("Type=simple\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=exec\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=notify-reload\nExecStart=/bin/a", Ok("/bin/a")),
            ("Type=forking\nExecStart=/bin/a", Err(NotWrappable::Forking)),
            // An empty word is none: it is forking still.
            ("Type=forking\nType=\nExecStart=/bin/a", Err(NotWrappable::Forking)),
            ("Type=dbus\nBusName=a.b\nExecStart=/bin/a", Err(NotWrappable::Dbus)),
            ("BusName=a.b\nExecStart=/bin/a", Err(NotWrappable::Dbus)),
            ("Type=oneshot\nExecStart=/bin/a", Err(NotWrappable::Oneshot)),
            ("ExecStop=/bin/a", Err(NotWrappable::Nothing)),
            ("Type=notify", Err(NotWrappable::Nothing)),
            ("ExecStart=/bin/a\nExecStart=/bin/b", Err(NotWrappable::Several(2))),
            ("ExecStart=/bin/a\nExecStart=\nExecStart=/bin/b", Ok("/bin/b")),
        ] {
            let source = source(service);
            let found = source.exec_start().map(|command| command.program.written.as_str());
            assert_eq!(found, expected.as_ref().map(|path| *path).map_err(Clone::clone), "{service}");
        }
    }

    #[test]
    fn what_stops_it_is_told_apart_from_what_always_does_and_from_what_cannot_be_seen() {
        for (settings, expected) in [
            ("", &[][..]),
            ("KillSignal=SIGTERM", &[]),
            ("KillSignal=SIGKILL", &[]),
            ("KillSignal=SIGNONSENSE", &[]),
            ("KillSignal=SIGQUIT", &["SIGQUIT"]),
            ("KillSignal=SIGQUIT\nKillSignal=", &["SIGQUIT"]),
            ("KillSignal=SIGRTMAX-3", &["SIGRTMIN+27"]),
            ("KillSignal=RTMIN+3\nRestartKillSignal=SIGINT", &["SIGRTMIN+3", "SIGINT"]),
            ("KillSignal=SIGINT\nRestartKillSignal=2", &["SIGINT"]),
        ] {
            assert_eq!(source(settings).stop_signals(), expected, "{settings}");
        }
    }

    #[test]
    fn the_time_within_which_it_pings_is_its_own_and_not_that_of_a_drop_in_of_ours() {
        let ours =
            "# Printed by sd-watchdog 0.1.0 (sd-watchdog unit --drop-in).\n[Service]\nWatchdogSec=5s\n";
        let name = UnitName::new("a").expect("a name");
        for (own, drop_ins, expected) in [
            ("WatchdogSec=30", &[][..], Some(30)),
            ("WatchdogSec=1min 30s", &[], Some(90)),
            ("WatchdogSec=30\nWatchdogSec=", &[], Some(30)),
            ("WatchdogSec=0", &[], None),
            ("WatchdogSec=infinity", &[], None),
            // Specifiers are none in it: systemd passes over the line.
            ("WatchdogSec=%i", &[], None),
            ("", &[ours], None),
            ("WatchdogSec=30", &[ours], Some(30)),
            ("", &[ours, "[Service]\nWatchdogSec=20"], Some(20)),
        ] {
            let own = format!("[Service]\n{own}\n");
            let texts: Vec<&str> = [own.as_str()].into_iter().chain(drop_ins.iter().copied()).collect();
            let paths: Vec<String> = (0..texts.len()).map(|index| format!("/{index}")).collect();
            let files = paths.iter().map(String::as_str).zip(texts.iter().map(|text| text.as_bytes()));
            let source = Source::new(&Unit::of_texts(&name, files));
            assert_eq!(source.watchdog(), expected.map(Duration::from_secs), "{texts:?}");
        }
    }

    #[test]
    fn only_some_settings_of_restart_cover_the_watchdog() {
        for (restart, expected) in [
            ("no", false),
            ("on-success", false),
            ("on-abort", false),
            ("on-failure", true),
            ("on-abnormal", true),
            ("on-watchdog", true),
            ("always", true),
        ] {
            let source = source(&format!("Restart={restart}"));
            assert_eq!(source.restart(), expected.then_some(restart), "{restart}");
        }
    }
}
