//! Whether systemd restarts a service by itself: `service_shall_restart` in its src/core/service.c, and the table under
//! `Restart=` in systemd.service(5). Pure.

use std::fmt;

use crate::service::signals;

/// How a main process ends, as waitid(2) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// By this signal, with a core dump.
    Dumped(i32),
    /// systemd knew of no main process (Type=forking without PIDFile=): to it the service has ended well.
    Unknown,
}

impl Death {
    /// `ExecMainCode` and `ExecMainStatus`.
    pub fn new((code, status): (i32, i32)) -> Self {
        match code {
            // CLD_EXITED, CLD_KILLED, CLD_DUMPED
            1 => Self::Exited(status),
            2 => Self::Killed(status),
            3 => Self::Dumped(status),
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Death {
    /// As in `RestartPreventExitStatus=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "{code}"),
            Self::Killed(signal) | Self::Dumped(signal) => f.write_str(&signals::name(*signal)),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Exit codes and signals, as `SuccessExitStatus=` and the like have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// Exit codes.
    pub codes: Vec<i32>,
    /// Signals.
    pub signals: Vec<i32>,
}

impl Statuses {
    /// `exit_status_set_test` in systemd's src/shared/exit-status.c.
    pub fn has(&self, death: Death) -> bool {
        match death {
            Death::Exited(code) => self.codes.contains(&code),
            Death::Killed(signal) | Death::Dumped(signal) => self.signals.contains(&signal),
            Death::Unknown => false,
        }
    }
}

/// A unit's settings that decide about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restart {
    /// `Restart=`
    pub setting: String,
    /// `RestartPreventExitStatus=`
    pub prevent: Statuses,
    /// `RestartForceExitStatus=`
    pub force: Statuses,
    /// `SuccessExitStatus=`
    pub success: Statuses,
}

impl Default for Restart {
    /// systemd's own defaults.
    fn default() -> Self {
        Self {
            setting: "no".into(),
            prevent: Statuses::default(),
            force: Statuses::default(),
            success: Statuses::default(),
        }
    }
}

impl Restart {
    /// Whether systemd restarts the service after this end of its main process, which nobody has ordered.
    pub fn shall_restart(&self, death: Death) -> bool {
        if self.prevent.has(death) {
            return false;
        }
        if self.force.has(death) {
            return true;
        }
        let is_clean = self.is_clean(death);
        match self.setting.as_str() {
            "always" => true,
            "on-success" => is_clean,
            "on-failure" => !is_clean,
            "on-abnormal" | "on-abort" => !is_clean && !matches!(death, Death::Exited(_)),
            // `on-watchdog` is about the result `watchdog`, which only systemd's own watchdog makes.
            _ => false,
        }
    }

    /// Whether it does after a watchdog's timeout.
    pub fn covers_watchdog(&self) -> bool {
        covers_watchdog(&self.setting)
    }

    /// `is_clean_exit` in systemd's src/shared/exit-status.c.
    fn is_clean(&self, death: Death) -> bool {
        use nix::libc::{SIGHUP, SIGINT, SIGPIPE, SIGTERM};
        match death {
            Death::Unknown | Death::Exited(0) | Death::Killed(SIGHUP | SIGINT | SIGTERM | SIGPIPE) => true,
            Death::Exited(_) | Death::Killed(_) => self.success.has(death),
            Death::Dumped(_) => false,
        }
    }
}

/// Whether a service with this `Restart=` is restarted after a watchdog's timeout: the column "Watchdog" of the table.
pub fn covers_watchdog(restart: &str) -> bool {
    matches!(restart, "always" | "on-failure" | "on-abnormal" | "on-watchdog")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restart(setting: &str) -> Restart {
        Restart { setting: setting.into(), ..Restart::default() }
    }

    /// systemd.service(5), "Table 1. Exit causes and the effect of the Restart= settings"; the last column is that of the
    /// watchdog.
    #[test]
    fn restart_decides_as_in_the_table_of_the_manual() {
        let ends = [
            ("clean exit", Death::Exited(0)),
            ("clean signal", Death::Killed(15)),
            ("no main process", Death::Unknown),
            ("unclean exit", Death::Exited(1)),
            ("unclean signal", Death::Killed(6)),
            ("core dump", Death::Dumped(6)),
        ];
        for (setting, expected) in [
            ("no", [false, false, false, false, false, false, false]),
            ("always", [true, true, true, true, true, true, true]),
            ("on-success", [true, true, true, false, false, false, false]),
            ("on-failure", [false, false, false, true, true, true, true]),
            ("on-abnormal", [false, false, false, false, true, true, true]),
            ("on-abort", [false, false, false, false, true, true, false]),
            ("on-watchdog", [false, false, false, false, false, false, true]),
            ("a-later-word", [false, false, false, false, false, false, false]),
        ] {
            for ((what, death), expected) in ends.iter().zip(expected) {
                assert_eq!(restart(setting).shall_restart(*death), expected, "{setting}, {what}");
            }
            assert_eq!(restart(setting).covers_watchdog(), expected[6], "{setting}, watchdog");
        }
    }

    #[test]
    fn exit_statuses_come_before_restart_and_the_one_that_prevents_before_all() {
        let sigabrt = || Statuses { codes: vec![3], signals: vec![6] };
        let forced = Restart { force: sigabrt(), ..restart("no") };
        let prevented = Restart { prevent: sigabrt(), force: sigabrt(), ..restart("always") };
        let successful = Restart { success: sigabrt(), ..restart("on-failure") };
        for (death, force, prevent, success) in [
            (Death::Exited(3), true, false, false),
            (Death::Exited(6), false, true, true),
            (Death::Killed(6), true, false, false),
            // A core dump is no success, whatever its signal.
            (Death::Dumped(6), true, false, true),
            (Death::Killed(3), false, true, true),
            (Death::Unknown, false, true, false),
        ] {
            assert_eq!(forced.shall_restart(death), force, "{death:?}");
            assert_eq!(prevented.shall_restart(death), prevent, "{death:?}");
            assert_eq!(successful.shall_restart(death), success, "{death:?}");
        }
    }

    #[test]
    fn how_a_process_ended_is_what_systemd_says_of_it() {
        for (exit, death) in [
            ((0, 0), Death::Unknown),
            ((1, 3), Death::Exited(3)),
            ((2, 9), Death::Killed(9)),
            ((3, 6), Death::Dumped(6)),
        ] {
            assert_eq!(Death::new(exit), death);
        }
    }
}
