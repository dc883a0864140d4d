//! Who starts UNIT again when this guard has ended it: systemd by itself, this guard, or nobody. Pure.
//!
//! The same table is asked when UNIT is taken up (what a hang would come to is said then, not afterwards), for a
//! `--dry-run`, before UNIT is ended (what nobody would start again is not ended), and after its end.
//!
//! | `--restart` | systemd does not restart it by itself | against that |
//! |---|---|---|
//! | `auto` | this guard starts it, as the drop-in of `sd-watchdog unit` would have it | whatever [`Obstacle`] there is |
//! | `unit` | this guard starts it if its `Restart=` covers a watchdog's timeout | the same, and a `Restart=` that does not |
//! | `always` | this guard starts it | what cannot be started, or was disabled or masked since |
//! | `never` | nobody does, and it is ended all the same | |
//!
//! How UNIT was started, and whether it is enabled, says nothing: by hand, by another unit's `Wants=` or by a socket, what
//! runs is meant to run. Only a *change* since UNIT was taken up is somebody's word.

use std::fmt;

use crate::cli::RestartRule;
use crate::guard::settings::{Settings, Whom};
use crate::guard::unit::Unit;
use crate::service::signals;
use crate::systemd::scope::Scope;
use crate::systemd::shall_restart::Death;
use crate::words::span::Span;

/// Who starts UNIT again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comeback {
    /// systemd, as it does for a process that ends so.
    Systemd,
    /// This guard: systemd leaves it dead.
    Guard,
    /// Nobody.
    Nobody(Obstacle),
}

/// Why nobody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// `--restart never`. It is the only one in spite of which UNIT is ended.
    Told,
    /// `--restart unit`, and this `Restart=` does not cover a watchdog's timeout.
    Restart(String),
    /// `RestartPreventExitStatus=` has the signal or exit status that it ends with.
    Prevented(Death),
    /// `FailureAction=`: its end would be the machine's.
    FailureAction(String),
    /// systemd refuses to start it: its `LoadState=`, which is `loaded` with `RefuseManualStart=`.
    Unstartable(String),
    /// A transient unit that systemd forgets when it has failed (`CollectMode=`).
    Collected,
    /// Somebody has changed it since it was taken up: `disabled`, `masked`, `Restart=no`.
    Since(String),
}

impl Comeback {
    /// What comes after an end that is still to come: of those that this guard may bring about (the watchdog's signal, and
    /// SIGKILL where that is not enough), the one after which it is worst.
    ///
    /// `before` are the settings when UNIT was taken up, as far as they are known.
    pub fn foreseen(rule: RestartRule, now: &Settings, before: Option<&Settings>, unit: &Unit) -> Self {
        if unit.main_pid == 0 {
            return Self::judged(rule, now, before, Death::Unknown);
        }
        let first = Self::judged(rule, now, before, Death::Killed(now.watchdog_signal));
        let at_last = || Self::after(rule, now, before, Death::Killed(nix::libc::SIGKILL));
        let is_worse = |at_last: &Self| !at_last.may_end();
        now.kill_after().filter(|_| first.may_end()).map(|_| at_last()).filter(is_worse).unwrap_or(first)
    }

    /// What comes after this end, which this guard has brought about.
    ///
    /// With `--restart unit` too that was only done because UNIT comes back. So what the process made of the signal does not
    /// matter any more, where `Restart=` makes a difference of it: an exit code with on-abort.
    pub fn after(rule: RestartRule, now: &Settings, before: Option<&Settings>, death: Death) -> Self {
        let rule = if rule == RestartRule::Unit { RestartRule::Auto } else { rule };
        Self::judged(rule, now, before, death)
    }

    fn judged(rule: RestartRule, now: &Settings, before: Option<&Settings>, death: Death) -> Self {
        // systemd's own restart is a start job as well, and fails on what is not loaded (`bus_unit_validate_load_state`).
        if now.restart.shall_restart(death) && now.load == "loaded" {
            return Self::Systemd;
        }
        let obstacle = if rule == RestartRule::Never {
            Some(Obstacle::Told)
        } else {
            since(rule, now, before).or_else(|| obstacle(rule, now, death))
        };
        obstacle.map_or(Self::Guard, Self::Nobody)
    }

    /// Whether UNIT may be ended: it comes back, or else that is what we were told.
    pub fn may_end(&self) -> bool {
        !matches!(self, Self::Nobody(obstacle) if *obstacle != Obstacle::Told)
    }

    /// What is done about a hang of UNIT, as a dry run says it:
    /// `sent SIGABRT (all its processes; SIGKILL after 90 s) and started again by systemd (Restart=always)`
    pub fn plan(&self, settings: &Settings, unit: &Unit) -> String {
        let signal = signals::name(settings.watchdog_signal);
        let whom = match settings.whom(unit) {
            Whom::Main => "its main process",
            Whom::All => "all its processes",
        };
        let kill = match settings.kill_after() {
            Some(after) => format!("; SIGKILL after {}", Span(after)),
            None => String::new(),
        };
        let restart = &settings.restart.setting;
        let then = match self {
            Self::Systemd => format!("started again by systemd (Restart={restart})"),
            Self::Guard => format!("started again by this guard (Restart={restart})"),
            Self::Nobody(obstacle @ Obstacle::Told) => format!("not started again ({obstacle})"),
            Self::Nobody(obstacle) => {
                return format!("left alone, since nobody would start it again ({obstacle})");
            }
        };
        format!("sent {signal} ({whom}{kill}) and {then}")
    }
}

/// What somebody has done about UNIT since it was taken up, and who starts it again for us.
fn since(rule: RestartRule, now: &Settings, before: Option<&Settings>) -> Option<Obstacle> {
    let before = before?;
    if now.is_masked() && !before.is_masked() {
        return Some(Obstacle::Since("masked".to_owned()));
    }
    // `indirect` is what is left of `enabled` where Also= names a unit that still is.
    if before.file_state.starts_with("enabled") && matches!(now.file_state.as_str(), "disabled" | "indirect")
    {
        return Some(Obstacle::Since("disabled".to_owned()));
    }
    let is_changed =
        before.restart.covers_watchdog() && !now.restart.covers_watchdog() && rule != RestartRule::Always;
    is_changed.then(|| Obstacle::Since(format!("set to Restart={}", now.restart.setting)))
}

fn obstacle(rule: RestartRule, now: &Settings, death: Death) -> Option<Obstacle> {
    if now.load != "loaded" || !now.can_start {
        return Some(Obstacle::Unstartable(now.load.clone()));
    }
    if now.file_state == "transient" && now.collect_mode == "inactive-or-failed" {
        return Some(Obstacle::Collected);
    }
    match rule {
        RestartRule::Always => None,
        _ if now.restart.prevent.has(death) => Some(Obstacle::Prevented(death)),
        _ if !matches!(now.failure_action.as_str(), "" | "none") => {
            Some(Obstacle::FailureAction(now.failure_action.clone()))
        }
        RestartRule::Unit if !now.restart.covers_watchdog() => {
            Some(Obstacle::Restart(now.restart.setting.clone()))
        }
        RestartRule::Auto | RestartRule::Unit | RestartRule::Never => None,
    }
}

impl fmt::Display for Obstacle {
    /// Why nobody starts UNIT again, as it stands after "not started again" in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told => f.write_str("--restart never"),
            Self::Restart(word) => write!(f, "Restart={word}, with --restart unit"),
            Self::Prevented(death) => write!(f, "RestartPreventExitStatus={death}"),
            Self::FailureAction(word) => write!(f, "FailureAction={word}"),
            Self::Unstartable(load) => f.write_str(match load.as_str() {
                "loaded" => "RefuseManualStart=yes",
                "masked" => "the unit is masked",
                "not-found" => "the unit has no file any more",
                _ => "systemd cannot read its unit file",
            }),
            Self::Collected => f.write_str("a transient unit with CollectMode=inactive-or-failed"),
            Self::Since(what) => write!(f, "it was {what} since this guard took it up"),
        }
    }
}

impl Obstacle {
    /// What to do, so that a hang is acted upon.
    pub fn remedy(&self, scope: Scope) -> String {
        let systemctl = scope.systemctl();
        let remedy = match self {
            Self::Unstartable(load) if load == "masked" => return format!("`{systemctl} unmask` it"),
            Self::Unstartable(load) if load != "loaded" => {
                return format!("mend its unit file, then `{systemctl} daemon-reload`");
            }
            Self::Told | Self::Restart(_) => "--restart auto has this guard start it again",
            Self::Prevented(_) | Self::FailureAction(_) => "--restart always ends it all the same",
            Self::Unstartable(_) | Self::Collected => "give it a Restart= of its own, like on-failure",
            Self::Since(_) => "take that back, or restart it",
        };
        remedy.to_owned()
    }
}

#[cfg(test)]
mod tests;
