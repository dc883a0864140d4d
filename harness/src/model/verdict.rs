//! Whether a trial was what the scenario expects, and why not. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::ask::{TICK, Witness};
use crate::model::bound::{ALLOWANCE, Bounds, SCHEDULING, WORK};
use crate::model::clock::{Human, Usec};
use crate::model::event::{Event, Kind};
use crate::model::expect::{By, Expectation, Outcome};
use crate::model::phase::{Phase, Span};
use crate::model::settings::{OnHang, Restart, Settings};
use crate::model::timeline::Timeline;

/// The judgement on a trial or a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// As expected.
    Pass {
        /// What happened, in a sentence.
        summary: String,
    },
    /// Not as expected.
    Fail {
        /// Every way in which it was not.
        reasons: Vec<String>,
    },
    /// There was nothing to try.
    Skip {
        /// Why, and what to do about it.
        reason: String,
    },
    /// The instrument itself was late, deaf or broken: neither as expected nor not.
    Unsound {
        /// In which ways.
        reasons: Vec<String>,
    },
}

impl Verdict {
    /// Whether everything was as expected.
    pub fn is_pass(&self) -> bool {
        matches!(self, Self::Pass { .. })
    }

    /// `pass`, `fail`, `skip` or `unsound`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail { .. } => "fail",
            Self::Skip { .. } => "skip",
            Self::Unsound { .. } => "unsound",
        }
    }

    /// Why it did not pass; empty when it did.
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Pass { .. } => &[],
            Self::Fail { reasons } | Self::Unsound { reasons } => reasons,
            Self::Skip { reason } => std::slice::from_ref(reason),
        }
    }
}

/// Judges a trial.
pub fn judge(timeline: &Timeline, witness: &Witness, expect: &Expectation, settings: &Settings) -> Verdict {
    let case = Case { timeline, witness, expect, settings, bounds: timeline.bounds(settings) };
    let reasons = match expect.outcome {
        Outcome::Restarted | Outcome::Failed if !timeline.has(is_injection) => case.never_injected(),
        // Where nobody asked there is another thing to be said.
        Outcome::Undisturbed
            if !witness.was_served() && (case.was_disturbed() || witness.failed_of().1 > 0) =>
        {
            case.never_injected()
        }
        Outcome::Restarted => case.restarted(),
        Outcome::Undisturbed => case.undisturbed(),
        Outcome::Failed => case.failed(),
    };
    if reasons.is_empty() { Verdict::Pass { summary: case.summary() } } else { Verdict::Fail { reasons } }
}

struct Case<'a> {
    timeline: &'a Timeline,
    witness: &'a Witness,
    expect: &'a Expectation,
    settings: &'a Settings,
    bounds: Bounds,
}

impl Case<'_> {
    fn restarted(&self) -> Vec<String> {
        let Some(recovery) = self.timeline.phases.recovery else { return self.why_not_restarted() };
        let checks = [
            self.wrong_cause(),
            self.late(recovery),
            self.over_bounds(),
            self.unserved_before(),
            self.served_meanwhile(),
            self.served_too_late(recovery),
            self.hang_report(),
        ];
        checks.into_iter().flatten().collect()
    }

    fn was_disturbed(&self) -> bool {
        self.timeline.has(Kind::is_disturbance)
    }

    fn never_injected(&self) -> Vec<String> {
        let undone = self.timeline.events.iter().filter(|event| {
            matches!(
                event.kind,
                Kind::Exited(_) | Kind::Failed { .. } | Kind::WatchdogTimeout | Kind::WatchdogTrigger { .. }
            )
        });
        let what = undone.map(|event| event.kind.to_string()).collect::<Vec<_>>().join("; ");
        let is_up = self.timeline.has(|kind| *kind == Kind::Ready) || !self.was_disturbed();
        if what.is_empty() && is_up && !self.witness.was_served() {
            let reason = self.witness.first_bad(Usec(0)).map_or("nobody asked", |(_, reason)| reason);
            let waited = Human(self.timeline.end - self.timeline.origin);
            return vec![format!("the service was up, but no client was served in {waited} ({reason})")];
        }
        let what = if what.is_empty() { "systemd did not say why".into() } else { what };
        let how = if self.witness.was_served() {
            "was disturbed before anything was done to it"
        } else if self.timeline.has(|kind| *kind == Kind::Ready) {
            "did not stay up until it served"
        } else {
            "did not start"
        };
        vec![format!("the service {how}: {what}")]
    }

    fn why_not_restarted(&self) -> Vec<String> {
        let Some(detect) = self.timeline.phases.detect else { return self.why_not_detected() };
        if let Some(reason) = self.refused() {
            return vec![reason];
        }
        let mut seen =
            format!("the hang was noticed after {}, but the service did not become ready", ms(detect));
        if self.settings.restart == Restart::No {
            seen += ": the unit has Restart=no";
        } else if let Some(Event { kind: Kind::Failed { result }, .. }) =
            self.timeline.events.iter().rev().find(|event| matches!(event.kind, Kind::Failed { .. }))
        {
            seen = format!("{seen}: systemd's last word is \"{result}\"");
        }
        vec![seen]
    }

    fn why_not_detected(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some((_, reason)) = self.witness.first_bad(self.timeline.origin.before(ALLOWANCE)) {
            reasons.push(match (self.timeline.phases.outage, self.witness.last_good(self.timeline.end)) {
                (Some(outage), _) => {
                    format!("clients were not served for {} ({reason}), yet nothing restarted", ms(outage))
                }
                (None, Some(_)) => format!(
                    "clients are served no more ({reason}), and systemd saw neither a hang nor an exit"
                ),
                (None, None) => format!("clients were never served ({reason})"),
            });
        } else {
            reasons.push("the fault had no effect: clients were served all the time".into());
        }
        match self.settings.span("WatchdogSec") {
            _ if self.settings.guard.as_ref().is_some_and(|guard| guard.on_hang == OnHang::Restart) => {
                reasons.push("sd-watchdog guard has not had the service ended".into());
            }
            None => reasons.push("the watchdog of this unit is off (WatchdogSec=0): systemd cannot notice a hang".into()),
            Some(watchdog) => reasons.push(format!(
                "the watchdog did not expire within WatchdogSec ({}): something pings although the service hangs",
                Human(watchdog)
            )),
        }
        reasons
    }

    fn refused(&self) -> Option<String> {
        self.timeline.has(|kind| *kind == Kind::StartLimitHit).then(|| {
            "systemd gave up: the start limit was hit (StartLimitBurst= within StartLimitIntervalSec=)".into()
        })
    }

    fn wrong_cause(&self) -> Option<String> {
        let by = self.timeline.cause()?;
        let expected = self.expect.by?;
        let name = |by| match by {
            By::Watchdog => "the watchdog",
            By::Exit => "the process's own exit",
        };
        (by != expected)
            .then(|| format!("it was restarted because of {}, not of {}", name(by), name(expected)))
    }

    fn late(&self, recovery: Span) -> Option<String> {
        let within = self.expect.recovery_within.as_deref()?;
        let Some(limit) = self.expect.limit(self.settings) else {
            return Some(format!("the recovery cannot be held against {within}: it is off in this unit"));
        };
        let named =
            if within.starts_with(char::is_uppercase) { format!("{within}, ") } else { String::new() };
        let served = self.timeline.phases.outage.map(|outage| outage.to - self.timeline.origin);
        if recovery.length() > limit {
            return Some(format!("the recovery took {}, longer than {named}{}", ms(recovery), Human(limit)));
        }
        let served = served.filter(|served| *served > limit + ALLOWANCE)?;
        Some(format!(
            "clients were served only {} after the injection, later than {named}{}",
            Human(served),
            Human(limit)
        ))
    }

    /// A phase out of its bounds means that the arithmetic, the unit or the instrument is wrong.
    fn over_bounds(&self) -> Option<String> {
        // A process that ends by itself is bound by nothing, unless it is ended from beside.
        if self.timeline.cause() != Some(By::Watchdog) && !self.is_ended_from_beside() {
            return None;
        }
        let phases = &self.timeline.phases;
        Bounds::PHASES.into_iter().find_map(|phase| {
            let (length, bound) = (phases.get(phase)?.length(), self.bounds.get(phase)?);
            let (name, allowance) = (phase.name(), self.grant(phase));
            if length > bound.at_most + allowance {
                let sum = format!("{} = {}", bound.sum, Human(bound.at_most));
                return Some(format!("{name} took {}, more than its bound {sum}", Human(length)));
            }
            let above = bound.above.filter(|above| length + TICK <= *above)?;
            Some(format!("{name} took {}, less than the {} that it must", Human(length), Human(above)))
        })
    }

    /// There the detection ends with the process, not with systemd's word.
    fn is_ended_from_beside(&self) -> bool {
        self.settings.guard.as_ref().is_some_and(|guard| guard.on_hang == OnHang::Restart)
            && self.timeline.cause() == Some(By::Exit)
    }

    fn grant(&self, phase: Phase) -> Duration {
        if phase == Phase::Detect && !self.is_ended_from_beside() { SCHEDULING } else { WORK }
    }

    /// A fault can only be blamed for what came after it.
    fn unserved_before(&self) -> Option<String> {
        let (asked, reason) = self.witness.first_bad_by(self.timeline.origin)?;
        let early = self.timeline.origin.before(ALLOWANCE);
        (asked < early).then(|| {
            format!(
                "clients were not served already {} before the injection ({reason})",
                Human(self.timeline.origin - asked)
            )
        })
    }

    /// The journal and the clients must tell one story: nobody is served by a service that hangs or has ended.
    fn served_meanwhile(&self) -> Option<String> {
        let ended = self.timeline.phases.restart?.from;
        let served = self.witness.served_between(self.timeline.took_effect(), ended.before(ALLOWANCE))?;
        let after = Human(served - self.timeline.origin);
        Some(format!("a client was served {after} after the injection, while the service was to hang"))
    }

    /// systemd's READY is worth only what clients get; with Type=notify it promises that they get it.
    fn served_too_late(&self, recovery: Span) -> Option<String> {
        let outage = self.timeline.phases.outage;
        let Some(served) = outage.map(|outage| outage.to).or_else(|| self.witness.first_good(recovery.to))
        else {
            let reason = self.witness.first_bad(recovery.from).map_or("nobody asked", |(_, reason)| reason);
            if self.settings.kind.notifies() {
                return Some(format!("systemd says it is ready, but no client was served again ({reason})"));
            }
            let since = Human(self.timeline.end - recovery.to);
            return Some(format!(
                "it was started again after {}, but no client was served in the {since} since then ({reason})",
                ms(recovery)
            ));
        };
        let late = served - recovery.to;
        // A busy observer may ask late; what proves a gap is an ask after READY that failed, or a second of nothing.
        let refused = self.witness.first_bad(recovery.to).is_some_and(|(asked, _)| asked < served);
        let is_late = late > WORK || (refused && late > ALLOWANCE + TICK);
        if !self.settings.kind.notifies() {
            let ready = self.expect.ready(self.settings).filter(|ready| late > *ready + ALLOWANCE)?;
            return Some(format!(
                "clients were served only {} after it was started again, later than [ready] within, {}",
                Human(late),
                Human(ready)
            ));
        }
        is_late.then(|| {
            format!(
                "systemd says it was ready after {}, but clients were served only {} later",
                ms(recovery),
                Human(late)
            )
        })
    }

    fn undisturbed(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        let is_hung = self.timeline.has(is_injection);
        if let Some(event) = self.timeline.first(self.timeline.origin, Kind::is_disturbance) {
            let after = Human(event.at - self.timeline.origin);
            let asked = if is_hung {
                "the hung service was to be left alone"
            } else {
                "nothing was done to the service"
            };
            reasons.push(format!("{asked}, yet after {after}: {}", event.kind));
        }
        if is_hung {
            // That it is called hung is true, and that clients are not served is the fault's doing.
            reasons.extend([self.unserved_before(), self.hang_report()].into_iter().flatten());
            return reasons;
        }
        // Who calls a healthy service hung is wrong, even if nothing comes of it.
        let is_report = |kind: &Kind| matches!(kind, Kind::HangReport { .. });
        match self.timeline.first(self.timeline.origin, is_report) {
            Some(event) if self.expect.hang_report.is_none() => {
                let after = Human(event.at - self.timeline.origin);
                reasons.push(format!("nothing was done to the service, yet after {after}: {}", event.kind));
            }
            _ => reasons.extend(self.hang_report()),
        }
        let (failed, all) = self.witness.failed_of();
        if failed > 0 {
            reasons.push(format!(
                "nothing was done to the service, yet {failed} of {all} asks were not answered well"
            ));
        }
        if all == 0 {
            reasons.push("no client asked: the observer did not work".into());
        }
        reasons
    }

    fn failed(&self) -> Vec<String> {
        let phases = &self.timeline.phases;
        if let Some(recovery) = phases.recovery {
            return vec![format!(
                "the service was to fail for good, but was ready again after {}",
                ms(recovery)
            )];
        }
        if phases.detect.is_none() {
            return self.why_not_detected();
        }
        let gave_up = self.timeline.gave_up(self.settings);
        let not_failed =
            (!gave_up).then(|| "systemd has not given the service up: it was still trying".into());
        [self.wrong_cause(), not_failed, self.hang_report()].into_iter().flatten().collect()
    }

    /// A report is worth something if it is in the journal before systemd ends what it is about.
    fn hang_report(&self) -> Option<String> {
        let is_report = |kind: &Kind| matches!(kind, Kind::HangReport { .. });
        let report = self.timeline.first(self.timeline.origin, is_report);
        match (self.expect.hang_report?, report) {
            (true, None) => Some("sd-watchdog put no hang report into the journal".into()),
            (true, Some(report)) => {
                let late = self.timeline.phases.detect.filter(|detect| report.at > detect.to)?;
                let late = Human(report.at - late.to);
                Some(format!("the hang report came {late} after systemd had begun to end the service"))
            }
            (false, Some(report)) => Some(format!("there was to be no hang report, but: {}", report.kind)),
            (false, None) => None,
        }
    }

    fn summary(&self) -> String {
        let (failed, all) = self.witness.failed_of();
        match (self.expect.outcome, self.timeline.phases.recovery) {
            (Outcome::Restarted, Some(recovery)) => {
                let by = match self.timeline.cause() {
                    Some(By::Watchdog) => "by the watchdog ",
                    Some(By::Exit) => "after its own exit ",
                    None => "",
                };
                let limit = self.expect.limit(self.settings).zip(self.expect.recovery_within.as_deref());
                let within = limit.map(|(limit, name)| {
                    if name.starts_with(char::is_uppercase) {
                        format!(", within {name} ({})", Human(limit))
                    } else {
                        format!(", within {}", Human(limit))
                    }
                });
                format!("restarted {by}{} after the injection{}", ms(recovery), within.unwrap_or_default())
            }
            (Outcome::Undisturbed, _) => {
                let calm = Human(self.expect.calm(self.settings));
                if self.timeline.has(is_injection) {
                    return format!("left alone for {calm} after the injection: neither ended nor restarted");
                }
                format!("undisturbed for {calm}: no restart, and {} of {all} asks answered", all - failed)
            }
            _ => "failed for good, as expected: systemd has given the service up".into(),
        }
    }
}

fn is_injection(kind: &Kind) -> bool {
    matches!(kind, Kind::Injected { .. })
}

fn ms(span: Span) -> String {
    Human(span.length()).to_string()
}

#[cfg(test)]
mod tests;
