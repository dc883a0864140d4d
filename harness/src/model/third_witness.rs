//! The third witness: what PID 1 itself says of a unit, asked once at the end of a trial. Its moments are stamped when things happen to
//! it; the journal's, when it said so, or where the kernel has not stamped that, when journald received it.
//!
//! Where `LogLevelMax=` keeps PID 1's words out of the journal (`log_unit_full()`, systemd, src/core/unit.h), it is asked again and
//! again, and what the journal would have told is read from its answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bound::ALLOWANCE;
use super::clock::{Human, Usec};
use super::event::{Event, Kind};
use super::settings::property;
use super::text::one_line;
use super::timeline::is_watchdog;

/// How far apart PID 1's moment and the journal's of the same thing may be. Where the kernel has stamped the sending they are less than
/// 0.1 ms apart, with a load of 18 on two CPUs too. Recordings without that stamp have when journald came to it: in 60 trials with a load
/// of 9 the median was 0.14 ms later, nine of ten were within 1.3 ms (of the watchdog's word 2.9 ms), and the last was 16 ms, with a load
/// of 30 19 ms, and once 68 ms. A phase that the journal tells of is wrong by as much at either end; together that may be no more than
/// [`ALLOWANCE`], what verdicts allow between two clocks.
pub const AGREE: Duration = Duration::from_millis(50);
const _: () = assert!(AGREE.as_millis() * 2 <= ALLOWANCE.as_millis());

/// The properties that [`PidOne`] is read from, for `systemctl show --property=`.
pub const PROPERTIES: &str = "ActiveState,SubState,Result,NRestarts,InvocationID,ExecMainCode,ExecMainStatus,\
    ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,ActiveEnterTimestampMonotonic,ActiveExitTimestampMonotonic,\
    InactiveEnterTimestampMonotonic,InactiveExitTimestampMonotonic,StateChangeTimestampMonotonic,\
    MainPID,StatusText";

/// What PID 1 says of a unit. A moment that it has not had is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PidOne {
    /// `active`, `failed`, `activating`, …
    pub active_state: String,
    /// `running`, `auto-restart`, …
    pub sub_state: String,
    /// `success`, `watchdog`, `exit-code`, …
    pub result: String,
    /// How often it was restarted by itself, since systemd forgot last (`NRestarts`).
    pub restarts: u32,
    /// Of the start that was last.
    pub invocation: String,
    /// How the main process ended, by the numbers of `CLD_…`; 0 while it runs.
    pub main_code: i32,
    /// Its exit code, or signal.
    pub main_status: i32,
    /// When the main process was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_start: Option<Usec>,
    /// When it ended, while no other runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_exit: Option<Usec>,
    /// When the unit became active last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_enter: Option<Usec>,
    /// When it was that no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_exit: Option<Usec>,
    /// When it was inactive, or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactive_enter: Option<Usec>,
    /// When it was that no longer: at the beginning of its start, or where it waits for a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inactive_exit: Option<Usec>,
    /// When it changed at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_change: Option<Usec>,
    /// The main process, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main_pid: Option<u32>,
    /// What the service said of itself last (`STATUS=`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

impl PidOne {
    /// Reads the answer of `systemctl show --property=`[`PROPERTIES`]; [`None`] where it is none.
    pub fn parse(shown: &str) -> Option<Self> {
        let text = |name: &str| property(shown, name).map(|text| one_line(text.to_owned()));
        let number =
            |name: &str| property(shown, name).and_then(|text| text.parse().ok()).unwrap_or_default();
        let at = |name: &str| {
            let shown = property(shown, &format!("{name}TimestampMonotonic"));
            shown.and_then(|text| text.parse().ok()).filter(|usec| *usec > 0).map(Usec)
        };
        Some(Self {
            active_state: text("ActiveState")?,
            sub_state: text("SubState").unwrap_or_default(),
            result: text("Result").unwrap_or_default(),
            restarts: property(shown, "NRestarts").and_then(|text| text.parse().ok()).unwrap_or_default(),
            invocation: text("InvocationID").unwrap_or_default(),
            main_code: number("ExecMainCode"),
            main_status: number("ExecMainStatus"),
            main_start: at("ExecMainStart"),
            main_exit: at("ExecMainExit"),
            active_enter: at("ActiveEnter"),
            active_exit: at("ActiveExit"),
            inactive_enter: at("InactiveEnter"),
            inactive_exit: at("InactiveExit"),
            state_change: at("StateChange"),
            main_pid: property(shown, "MainPID").and_then(|text| text.parse().ok()).filter(|pid| *pid > 0),
            status: text("StatusText").filter(|status| !status.is_empty()),
        })
    }

    /// In what it contradicts the events of a trial that began then, with so many restarts `before`. Of what came after it was `asked` it
    /// knows nothing.
    pub fn contradictions(&self, began: Usec, before: u32, asked: Usec, events: &[Event]) -> Vec<String> {
        let is_ready: fn(&Kind) -> bool = |kind| *kind == Kind::Ready;
        let stamps = [
            ("became active", self.active_enter, is_ready),
            ("was no longer active", self.active_exit, is_leaving),
            ("had its main process end", self.main_exit, is_leaving),
        ];
        let mut found = Vec::new();
        for (what, at, is_same) in stamps {
            let Some(at) = at.filter(|at| *at >= began) else { continue };
            let same = events.iter().filter(|event| is_same(&event.kind));
            let apart = same.map(|event| apart(event.at, at)).min();
            if apart.is_none_or(|apart| apart > AGREE) {
                let of_journal = apart.map_or_else(
                    || "the journal has nothing of it".to_owned(),
                    |apart| {
                        format!("the journal has the same {} apart, more than {}", Human(apart), Human(AGREE))
                    },
                );
                found.push(format!(
                    "PID 1 says that the service {what} {} after the trial began: {of_journal}",
                    Human(at - began)
                ));
            }
        }
        found.extend(self.other_start(asked, events));
        found.extend(self.other_restarts(before, events));
        found
    }

    /// A start that the journal has and PID 1 does not know.
    fn other_start(&self, asked: Usec, events: &[Event]) -> Option<String> {
        let ready = events.iter().rev().find(|event| event.at < asked && event.kind == Kind::Ready)?;
        let active = self.active_enter?;
        let is_unknown = ready.at - active > AGREE;
        is_unknown.then(|| {
            format!("the journal has the service ready {} after PID 1 has", Human(ready.at - active))
        })
    }

    /// Restarts that the journal does not have. PID 1 may have forgotten some that it has: a start by hand or `RESTART_RESET=1` has it
    /// count anew.
    fn other_restarts(&self, before: u32, events: &[Event]) -> Option<String> {
        let told = events.iter().rev().find_map(|event| match event.kind {
            Kind::RestartScheduled { restarts } => Some(restarts),
            _ => None,
        });
        let told = told.unwrap_or(before);
        (self.restarts > told)
            .then(|| format!("PID 1 counts {} restarts, and the journal {told}", self.restarts))
    }

    /// What has happened since PID 1 was asked `before`, where the journal is not told.
    pub fn events_since(&self, before: Option<&Self>, began: Usec) -> Vec<Event> {
        let news = |of: fn(&Self) -> Option<Usec>| {
            of(self).filter(|at| *at >= began && before.and_then(of).is_none_or(|before| *at > before))
        };
        let (started, ended) = (news(|pid_one| pid_one.main_start), news(|pid_one| pid_one.inactive_enter));
        let restarts = before.map_or(0, |before| before.restarts);
        let restarted = started.filter(|_| self.restarts > restarts);
        let failed = ended.filter(|_| self.active_state == "failed");
        // Between two answers there may have been several: when the others were is not known, only that they were.
        let first = before.map_or(self.restarts, |before| before.restarts + 1);
        let first = first.max(self.restarts.saturating_sub(MOST_RESTARTS));
        let scheduled =
            (first..=self.restarts).map(|restarts| (restarted, Kind::RestartScheduled { restarts }));
        let kinds = [(ended, Kind::Deactivated), (failed, Kind::Failed { result: self.result.clone() })];
        let others = [(started, Kind::Starting), (news(|pid_one| pid_one.active_enter), Kind::Ready)];
        kinds
            .into_iter()
            .chain(scheduled)
            .chain(others)
            .filter_map(|(at, kind)| Some(Event { at: at?, kind }))
            .collect()
    }
}

/// So many restarts between two answers are told one by one. systemd makes no more in a tenth of a second.
const MOST_RESTARTS: u32 = 100;

/// The service is on its way down.
fn is_leaving(kind: &Kind) -> bool {
    is_watchdog(kind)
        || matches!(kind, Kind::Exited(_) | Kind::Deactivated | Kind::Failed { .. } | Kind::Stopping)
}

fn apart(one: Usec, other: Usec) -> Duration {
    (one - other).max(other - one)
}

#[cfg(test)]
mod tests;
