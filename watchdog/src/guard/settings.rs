//! What UNIT's own settings say about a hang: how to end it, and what systemd does then.
//!
//! They are read when UNIT is taken up, so that what would come of a hang is known before there is one, again when systemd
//! has read its configuration anew, and again before each step that follows from them: `systemctl edit` and
//! `systemctl disable` count at once.

use std::time::Duration;

use crate::guard::unit::Unit;
use crate::systemd::dbus::Property;
use crate::systemd::shall_restart::{Restart, Statuses};

/// Whom a signal goes to, as `KillUnit` of systemd's D-Bus interface takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The main process.
    Main,
    /// Every process of the unit's control group.
    All,
}

impl Whom {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::All => "all",
        }
    }
}

/// UNIT's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Restart= and what goes with it.
    pub restart: Restart,
    /// RestartSec=
    pub restart_after: Duration,
    /// KillMode=
    pub kill_mode: String,
    /// WatchdogSignal=, a number.
    pub watchdog_signal: i32,
    /// TimeoutStopSec=; [`None`]: infinity.
    pub stop_timeout: Option<Duration>,
    /// TimeoutAbortSec=, or TimeoutStopSec= where that is not set; nothing before systemd 243.
    #[expect(clippy::option_option, reason = "not known; none; so long")]
    pub abort_timeout: Option<Option<Duration>>,
    /// SendSIGKILL=
    pub send_sigkill: bool,
    /// FailureAction=
    pub failure_action: String,
    /// CollectMode=, from systemd 236 on; else empty.
    pub collect_mode: String,
    /// LoadState: `loaded`, `masked`, …
    pub load: String,
    /// Whether systemd takes an order to start it: not with RefuseManualStart=.
    pub can_start: bool,
    /// `systemctl is-enabled`; empty where there is no unit file.
    pub file_state: String,
    /// The control group, as below the root of the hierarchy; empty where there is none.
    pub control_group: String,
}

impl Default for Settings {
    /// systemd's own defaults.
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            restart_after: Duration::from_millis(100),
            kill_mode: "control-group".into(),
            watchdog_signal: nix::libc::SIGABRT,
            stop_timeout: Some(Duration::from_secs(90)),
            abort_timeout: None,
            send_sigkill: true,
            failure_action: "none".into(),
            collect_mode: "inactive".into(),
            load: "loaded".into(),
            can_start: true,
            file_state: String::new(),
            control_group: String::new(),
        }
    }
}

impl Settings {
    /// A property has this value.
    pub fn set(&mut self, property: &str, value: Property) {
        match (property, value) {
            ("UnitFileState", Property::Text(text)) => self.file_state = text,
            ("Restart", Property::Text(text)) => self.restart.setting = text,
            ("KillMode", Property::Text(text)) => self.kill_mode = text,
            ("ControlGroup", Property::Text(text)) => self.control_group = text,
            ("RestartUSec", Property::Unsigned(usec)) => self.restart_after = Duration::from_micros(usec),
            ("TimeoutStopUSec", Property::Unsigned(usec)) => self.stop_timeout = timeout(usec),
            ("TimeoutAbortUSec", Property::Unsigned(usec)) => self.abort_timeout = Some(timeout(usec)),
            ("WatchdogSignal", Property::Signed(signal @ 1..)) => self.watchdog_signal = signal,
            ("SendSIGKILL", Property::Flag(flag)) => self.send_sigkill = flag,
            ("RestartPreventExitStatus", Property::Statuses(codes, signals)) => {
                self.restart.prevent = Statuses { codes, signals };
            }
            ("RestartForceExitStatus", Property::Statuses(codes, signals)) => {
                self.restart.force = Statuses { codes, signals };
            }
            ("SuccessExitStatus", Property::Statuses(codes, signals)) => {
                self.restart.success = Statuses { codes, signals };
            }
            ("FailureAction", Property::Text(text)) => self.failure_action = text,
            ("CollectMode", Property::Text(text)) => self.collect_mode = text,
            ("LoadState", Property::Text(text)) => self.load = text,
            ("CanStart", Property::Flag(flag)) => self.can_start = flag,
            _ => {}
        }
    }

    /// Whom the watchdog's signal goes to: whom systemd itself would send it to (`unit_kill_context` in systemd's
    /// src/core/unit.c), that is, the whole control group with KillMode=control-group, and the main process with the
    /// others. Where no main process is known (Type=forking without PIDFile=), only the group can be named.
    pub fn whom(&self, unit: &Unit) -> Whom {
        if self.kill_mode == "control-group" || unit.main_pid == 0 { Whom::All } else { Whom::Main }
    }

    /// Whom SIGKILL goes to, again as systemd does it: KillMode=mixed means the rest too by then. With process and none
    /// the rest may be what is to live on (sshd's sessions).
    pub fn whom_at_last(&self, unit: &Unit) -> Whom {
        match self.kill_mode.as_str() {
            "process" | "none" if unit.main_pid != 0 => Whom::Main,
            _ => Whom::All,
        }
    }

    /// When to send SIGKILL after the watchdog's signal; [`None`]: never.
    pub fn kill_after(&self) -> Option<Duration> {
        self.abort_timeout.unwrap_or(self.stop_timeout).filter(|_| self.send_sigkill)
    }

    /// Whether it is masked, by a file in /etc or in /run.
    pub fn is_masked(&self) -> bool {
        self.load == "masked" || self.file_state.starts_with("masked")
    }
}

fn timeout(usec: u64) -> Option<Duration> {
    (usec != u64::MAX).then_some(Duration::from_micros(usec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::unit::tests::running;

    #[test]
    fn signals_go_where_systemds_own_would() {
        for (mode, main_pid, whom, at_last) in [
            ("control-group", 7, Whom::All, Whom::All),
            ("mixed", 7, Whom::Main, Whom::All),
            ("process", 7, Whom::Main, Whom::Main),
            ("none", 7, Whom::Main, Whom::Main),
            ("mixed", 0, Whom::All, Whom::All),
            ("process", 0, Whom::All, Whom::All),
        ] {
            let settings = Settings { kill_mode: mode.into(), ..Settings::default() };
            let unit = running(main_pid);
            assert_eq!((settings.whom(&unit), settings.whom_at_last(&unit)), (whom, at_last), "{mode}");
        }
    }

    #[test]
    fn sigkill_comes_after_the_abort_timeout_or_never() {
        let mut settings = Settings::default();
        settings.set("TimeoutStopUSec", Property::Unsigned(5_000_000));
        assert_eq!(settings.kill_after(), Some(Duration::from_secs(5)), "before 243 there is no other");
        settings.set("TimeoutAbortUSec", Property::Unsigned(2_000_000));
        assert_eq!(settings.kill_after(), Some(Duration::from_secs(2)));
        settings.set("SendSIGKILL", Property::Flag(false));
        assert_eq!(settings.kill_after(), None);
        settings.set("SendSIGKILL", Property::Flag(true));
        settings.set("TimeoutAbortUSec", Property::Unsigned(u64::MAX));
        assert_eq!(settings.kill_after(), None);
    }

    #[test]
    fn a_watchdog_signal_that_is_not_set_is_sigabrt() {
        let mut settings = Settings::default();
        settings.set("WatchdogSignal", Property::Signed(0));
        assert_eq!(settings.watchdog_signal, 6);
        settings.set("WatchdogSignal", Property::Signed(9));
        assert_eq!(settings.watchdog_signal, 9);
    }
}
