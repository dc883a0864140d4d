//! What UNIT's own settings say about a hang: how to end it, and whether it comes back.
//!
//! They are read when they are needed, not before: `systemctl edit` and `systemctl disable` count at once.

use std::time::Duration;

use crate::cli::RestartRule;
use crate::guard::unit::Unit;
use crate::service::signals;
use crate::systemd::dbus::Property;
use crate::words::span::Span;

/// `CLD_KILLED` and `CLD_DUMPED` of waitid(2).
const BY_SIGNAL: [i32; 2] = [2, 3];
/// `CLD_EXITED`
const BY_EXIT: i32 = 1;

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
    /// Restart=
    pub restart: String,
    /// RestartSec=
    pub restart_after: Duration,
    /// KillMode=
    pub kill_mode: String,
    /// WatchdogSignal=, a number.
    pub watchdog_signal: i32,
    /// TimeoutAbortSec=, or TimeoutStopSec= where that is not set; [`None`]: infinity.
    pub abort_timeout: Option<Duration>,
    /// SendSIGKILL=
    pub send_sigkill: bool,
    /// RestartPreventExitStatus=: exit codes, and signals.
    pub prevent: (Vec<i32>, Vec<i32>),
    /// `systemctl is-enabled`; empty where there is no unit file.
    pub file_state: String,
    /// The control group, as below the root of the hierarchy; empty where there is none.
    pub control_group: String,
}

impl Default for Settings {
    /// systemd's own defaults.
    fn default() -> Self {
        Self {
            restart: "no".into(),
            restart_after: Duration::from_millis(100),
            kill_mode: "control-group".into(),
            watchdog_signal: nix::libc::SIGABRT,
            abort_timeout: Some(Duration::from_secs(90)),
            send_sigkill: true,
            prevent: (Vec::new(), Vec::new()),
            file_state: String::new(),
            control_group: String::new(),
        }
    }
}

impl Settings {
    /// The properties to [`set`](Self::set), by interface: `Unit` first. TimeoutAbortUSec comes after TimeoutStopUSec,
    /// which it overrides where systemd knows it (243 and later).
    pub const PROPERTIES: [(&str, &str); 10] = [
        ("Unit", "UnitFileState"),
        ("Service", "Restart"),
        ("Service", "RestartUSec"),
        ("Service", "KillMode"),
        ("Service", "WatchdogSignal"),
        ("Service", "TimeoutStopUSec"),
        ("Service", "TimeoutAbortUSec"),
        ("Service", "SendSIGKILL"),
        ("Service", "RestartPreventExitStatus"),
        ("Service", "ControlGroup"),
    ];

    /// A property has this value.
    pub fn set(&mut self, property: &str, value: Property) {
        match (property, value) {
            ("UnitFileState", Property::Text(text)) => self.file_state = text,
            ("Restart", Property::Text(text)) => self.restart = text,
            ("KillMode", Property::Text(text)) => self.kill_mode = text,
            ("ControlGroup", Property::Text(text)) => self.control_group = text,
            ("RestartUSec", Property::Unsigned(usec)) => self.restart_after = Duration::from_micros(usec),
            ("TimeoutStopUSec" | "TimeoutAbortUSec", Property::Unsigned(usec)) => {
                self.abort_timeout = (usec != u64::MAX).then_some(Duration::from_micros(usec));
            }
            ("WatchdogSignal", Property::Signed(signal @ 1..)) => self.watchdog_signal = signal,
            ("SendSIGKILL", Property::Flag(flag)) => self.send_sigkill = flag,
            ("RestartPreventExitStatus", Property::Statuses(codes, signals)) => {
                self.prevent = (codes, signals);
            }
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
        self.abort_timeout.filter(|_| self.send_sigkill)
    }

    /// Why UNIT is not started again, after we have ended it and systemd has left it dead; [`None`]: it is.
    ///
    /// systemd judges by how the process died, and that is not always how a watchdog's end would be judged: a process
    /// that answers SIGABRT with exit code 0 ended well, and Restart=on-watchdog does not restart what died by a signal.
    /// So this looks at Restart= as `service_shall_restart` (systemd's src/core/service.c) does with the result
    /// `watchdog`.
    pub fn objection(&self, rule: RestartRule, unit: &Unit) -> Option<String> {
        if matches!(self.file_state.as_str(), "disabled" | "masked" | "masked-runtime")
            || unit.load == "masked"
        {
            let state = if self.file_state.is_empty() { &unit.load } else { &self.file_state };
            return Some(format!("the unit is {state}"));
        }
        match rule {
            RestartRule::Never => Some("--restart never".to_owned()),
            RestartRule::Unit if !self.restarts_after_watchdog() => Some(format!("Restart={}", self.restart)),
            RestartRule::Unit if self.is_prevented(unit) => Some("RestartPreventExitStatus=".to_owned()),
            RestartRule::Unit | RestartRule::Always => None,
        }
    }

    /// What is done about a hang of UNIT, as a dry run says it:
    /// `sent SIGABRT (all its processes; SIGKILL after 90s) and started again`
    pub fn plan(&self, rule: RestartRule, unit: &Unit) -> String {
        let signal = signals::name(self.watchdog_signal);
        let whom = match self.whom(unit) {
            Whom::Main => "its main process",
            Whom::All => "all its processes",
        };
        let kill = match self.kill_after() {
            Some(after) => format!("; SIGKILL after {}", Span(after)),
            None => String::new(),
        };
        // As it most likely dies.
        let dead = Unit { exit: (BY_SIGNAL[0], self.watchdog_signal), ..unit.clone() };
        let then = match self.objection(rule, &dead) {
            None => "started again".to_owned(),
            Some(why) => format!("not started again ({why})"),
        };
        format!("sent {signal} ({whom}{kill}) and {then}")
    }

    /// systemd.service(5), the table under Restart=, the column "Watchdog".
    fn restarts_after_watchdog(&self) -> bool {
        matches!(self.restart.as_str(), "always" | "on-failure" | "on-abnormal" | "on-watchdog")
    }

    fn is_prevented(&self, unit: &Unit) -> bool {
        let (code, status) = unit.exit;
        let (codes, signals) = &self.prevent;
        (code == BY_EXIT && codes.contains(&status))
            || (BY_SIGNAL.contains(&code) && signals.contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::unit::tests::{running, unit};

    fn restart(restart: &str) -> Settings {
        Settings { restart: restart.into(), ..Settings::default() }
    }

    #[test]
    fn a_dry_run_says_what_would_be_done() {
        let plan = |settings: Settings, unit: &Unit| settings.plan(RestartRule::Unit, unit);
        let kept = Settings { prevent: (Vec::new(), vec![nix::libc::SIGABRT]), ..restart("always") };
        let mixed = Settings { kill_mode: "mixed".into(), send_sigkill: false, ..restart("no") };
        for (settings, unit, expected) in [
            (
                restart("on-watchdog"),
                running(7),
                "sent SIGABRT (all its processes; SIGKILL after 90 s) and started again",
            ),
            (mixed.clone(), running(7), "sent SIGABRT (its main process) and not started again (Restart=no)"),
            (mixed, running(0), "sent SIGABRT (all its processes) and not started again (Restart=no)"),
            (
                kept,
                running(7),
                "sent SIGABRT (all its processes; SIGKILL after 90 s) and not started again \
                 (RestartPreventExitStatus=)",
            ),
        ] {
            assert_eq!(plan(settings, &unit), expected);
        }
    }

    #[test]
    fn what_restart_says_for_a_watchdog_decides() {
        for (word, starts) in [
            ("no", false),
            ("always", true),
            ("on-success", false),
            ("on-failure", true),
            ("on-abnormal", true),
            ("on-abort", false),
            ("on-watchdog", true),
            ("a-later-word", false),
        ] {
            let dead = unit("failed", "failed");
            let objection = restart(word).objection(RestartRule::Unit, &dead);
            assert_eq!(objection, (!starts).then(|| format!("Restart={word}")));
            assert_eq!(restart(word).objection(RestartRule::Always, &dead), None, "{word}");
            assert_eq!(
                restart(word).objection(RestartRule::Never, &dead).as_deref(),
                Some("--restart never"),
                "{word}"
            );
        }
    }

    #[test]
    fn what_is_disabled_or_masked_is_never_started() {
        for (file_state, load, starts) in [
            ("enabled", "loaded", true),
            ("enabled-runtime", "loaded", true),
            ("static", "loaded", true),
            ("indirect", "loaded", true),
            ("linked", "loaded", true),
            ("generated", "loaded", true),
            ("transient", "loaded", true),
            ("", "loaded", true),
            ("disabled", "loaded", false),
            ("masked", "masked", false),
            ("masked-runtime", "loaded", false),
            ("", "masked", false),
        ] {
            let dead = Unit { load: load.into(), ..unit("failed", "failed") };
            let settings = Settings { file_state: file_state.into(), ..restart("always") };
            for rule in [RestartRule::Unit, RestartRule::Always] {
                let objection = settings.objection(rule, &dead);
                assert_eq!(objection.is_none(), starts, "{file_state} {load}: {objection:?}");
            }
        }
    }

    #[test]
    fn an_exit_status_that_prevents_restarts_prevents_ours() {
        let settings = Settings { prevent: (vec![3], vec![6]), ..restart("always") };
        for (exit, starts) in
            [((1, 3), false), ((1, 6), true), ((2, 6), false), ((3, 6), false), ((2, 9), true)]
        {
            let dead = Unit { exit, ..unit("failed", "failed") };
            assert_eq!(settings.objection(RestartRule::Unit, &dead).is_none(), starts, "{exit:?}");
        }
    }

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
