//! Whether a trial was what the scenario expects, and why not. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::ask::{TICK, Witness};
use crate::model::bound::{ALLOWANCE, Bounds, SCHEDULING, WORK};
use crate::model::clock::{Human, Usec};
use crate::model::event::Kind;
use crate::model::expect::{By, Deed, Expectation, Outcome};
use crate::model::finding::Finding;
use crate::model::phase::{Phase, Span};
use crate::model::settings::{OnHang, Restart, Settings};
use crate::model::soundness::{Weighed, weigh};
use crate::model::timeline::{Timeline, is_watchdog};

mod parts;
mod stopped;
mod undisturbed;
mod why_not;

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

    /// Whether it says something of the service: it was as expected, or it was not.
    pub fn is_sound(&self) -> bool {
        matches!(self, Self::Pass { .. } | Self::Fail { .. })
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
    let findings = match expect.outcome {
        Outcome::Restarted | Outcome::Failed | Outcome::Stopped if !timeline.has(is_injection) => {
            case.never_injected()
        }
        // Where nobody asked there is another thing to be said.
        Outcome::Undisturbed
            if !witness.was_served() && (case.was_disturbed() || witness.failed_of().1 > 0) =>
        {
            case.never_injected()
        }
        Outcome::Restarted => case.restarted(),
        Outcome::Undisturbed => case.undisturbed(),
        Outcome::Failed => case.failed(),
        Outcome::Stopped => case.stopped(),
    };
    // Who has seen it served again need not look on.
    let phases = [timeline.phases.recovery, timeline.phases.outage].map(|span| Some(span?.to));
    let seen = if phases[0].is_some() { phases.into_iter().flatten().max() } else { None };
    let trial = Span { from: timeline.origin, to: seen.unwrap_or(timeline.end) };
    match weigh(findings, trial, witness) {
        Weighed::Unsound(reasons) => Verdict::Unsound { reasons },
        Weighed::Sound(reasons) if reasons.is_empty() => Verdict::Pass { summary: case.summary() },
        Weighed::Sound(reasons) => Verdict::Fail { reasons },
    }
}

struct Case<'a> {
    timeline: &'a Timeline,
    witness: &'a Witness,
    expect: &'a Expectation,
    settings: &'a Settings,
    bounds: Bounds,
}

impl Case<'_> {
    fn restarted(&self) -> Vec<Finding> {
        let Some(recovery) = self.timeline.phases.recovery else { return self.why_not_restarted() };
        let checks = [
            self.long_outage(),
            self.failed_requests(),
            self.unserved_before(),
            self.served_meanwhile().map(Finding::from),
            self.served_too_late(recovery),
            self.hang_report(),
        ];
        let early = [self.wrong_cause().map(Finding::from), self.late(recovery)].into_iter().flatten();
        early.chain(self.over_bounds()).chain(checks.into_iter().flatten()).chain(self.parts()).collect()
    }

    fn was_disturbed(&self) -> bool {
        self.timeline.has(Kind::is_disturbance)
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

    fn late(&self, recovery: Span) -> Option<Finding> {
        let within = self.expect.recovery_within.as_deref()?;
        let Some(limit) = self.expect.limit(self.settings) else {
            return Some(
                format!("the recovery cannot be held against {within}: it is off in this unit").into(),
            );
        };
        let named =
            if within.starts_with(char::is_uppercase) { format!("{within}, ") } else { String::new() };
        if recovery.length() > limit {
            let most = self.most_of(recovery);
            let what =
                format!("the recovery took {}, longer than {named}{}{most}", ms(recovery), Human(limit));
            return Some(Finding::late(
                what,
                recovery.length().saturating_sub(limit),
                recovery.from,
                recovery.to,
            ));
        }
        let served = self.timeline.phases.outage?.to;
        let unserved = self.witness.unserved_for(self.timeline.origin, served);
        let over = unserved.checked_sub(limit + ALLOWANCE).filter(|over| !over.is_zero())?;
        let (after, limit) = (Human(served - self.timeline.origin), Human(limit));
        let what = format!("clients were served only {after} after the injection, later than {named}{limit}");
        Some(Finding::late(what, over, self.timeline.origin, served))
    }

    /// What is held against the limit is the last ask that failed: whoever asks seldom sees the end late.
    fn long_outage(&self) -> Option<Finding> {
        let within = self.expect.outage_within.as_deref()?;
        let Some(limit) = self.expect.outage_limit(self.settings) else {
            let what = format!("the outage cannot be held against {within}: it is off in this unit");
            return Some(what.into());
        };
        let outage = self.timeline.phases.outage?;
        let unserved = self.witness.unserved_for(outage.from, outage.to);
        let over = unserved.checked_sub(limit).filter(|over| !over.is_zero())?;
        let named =
            if within.starts_with(char::is_uppercase) { format!("{within}, ") } else { String::new() };
        let what = format!("clients were not served for {}, longer than {named}{}", ms(outage), Human(limit));
        Some(Finding::late(what, over, outage.from, outage.to))
    }

    /// Requests of the load that failed, from the injection on.
    fn failed_requests(&self) -> Option<Finding> {
        let most = self.expect.at_most_failed?;
        let Some(load) = self.witness.load() else {
            return Some(Finding::deaf("no request was made: the load did not work".into()));
        };
        let Timeline { origin, end, .. } = *self.timeline;
        // What was under way when the fault took hold is the fault's.
        let counts = load.within(Span { from: origin.before(ALLOWANCE), to: end });
        if counts.failed > most {
            let (failed, all) = (counts.failed, counts.failed + counts.good);
            let (reason, _) = load.failures().into_iter().next().unwrap_or(("nobody knows why", 0));
            return Some(format!("{failed} of {all} requests failed ({reason}, …), more than {most}").into());
        }
        // Of those that were not made, any might have failed.
        let unknown = counts.unasked + load.open;
        (counts.failed + unknown > most).then(|| {
            let what = format!(
                "of {} requests {unknown} were not made in time or not to their end: the instrument was late",
                counts.all() + load.open
            );
            Finding::deaf(what)
        })
    }

    /// The phase after the detection that took more than half of the recovery.
    fn most_of(&self, recovery: Span) -> String {
        let later = Bounds::PHASES.into_iter().filter(|phase| *phase != Phase::Detect);
        let spans = later.filter_map(|phase| Some((phase.name(), self.timeline.phases.get(phase)?)));
        let most = spans.into_iter().find(|(_, span)| span.length() * 2 > recovery.length());
        most.map(|(name, span)| format!(", of which {name} took {}", ms(span))).unwrap_or_default()
    }

    /// A phase out of its bounds means that the arithmetic, the unit or the instrument is wrong.
    fn over_bounds(&self) -> Vec<Finding> {
        // A process that ends by itself is bound by nothing, unless it is ended from beside.
        if self.timeline.cause() != Some(By::Watchdog) && !self.is_ended_from_beside() {
            return Vec::new();
        }
        // What only may come to a hang does so when it does, and not with the injection.
        let is_bound = |phase: &Phase| *phase != Phase::Detect || self.timeline.deed() != Deed::Spares;
        Bounds::PHASES.into_iter().filter(is_bound).filter_map(|phase| self.over_bound(phase)).collect()
    }

    fn over_bound(&self, phase: Phase) -> Option<Finding> {
        let (span, bound) = (self.timeline.phases.get(phase)?, self.bounds.get(phase)?);
        let (name, length, at_most) = (phase.name(), span.length(), bound.at_most + self.grant(phase));
        if length > at_most {
            let sum = format!("{} = {}", bound.sum, Human(bound.at_most));
            let what = format!("{name} took {}, more than its bound {sum}", Human(length));
            return Some(Finding::late(what, length.saturating_sub(at_most), span.from, span.to));
        }
        let above = bound.above.filter(|above| length + TICK <= *above)?;
        Some(format!("{name} took {}, less than the {} that it must", Human(length), Human(above)).into())
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
    fn unserved_before(&self) -> Option<Finding> {
        let (ask, reason) = self.witness.first_bad_by(self.timeline.origin)?;
        let early = self.timeline.origin.before(ALLOWANCE);
        (ask.asked < early).then(|| {
            let before = Human(self.timeline.origin - ask.asked);
            let what = format!("clients were not served already {before} before the injection ({reason})");
            Finding::never(what, ask.asked, ask.known)
        })
    }

    /// The journal and the clients must tell one story: nobody is served by a service that hangs.
    fn served_meanwhile(&self) -> Option<String> {
        // There they may be; and until the process has ended, where a leak takes its time or an orderly exit finishes what is
        // under way.
        if matches!(self.timeline.deed(), Deed::Spares | Deed::Silences | Deed::Ends | Deed::Stops) {
            return None;
        }
        let ended = self.timeline.phases.restart?.from;
        // Nor is it to hang once it is healed.
        let until = self.timeline.healed().map_or(ended, |healed| healed.min(ended));
        let served = self.witness.served_between(self.timeline.took_effect(), until.before(ALLOWANCE))?;
        let after = Human(served - self.timeline.origin);
        Some(format!("a client was served {after} after the injection, while the service was to hang"))
    }

    /// systemd's READY is worth only what clients get; with Type=notify it promises that they get it.
    fn served_too_late(&self, recovery: Span) -> Option<Finding> {
        let outage = self.timeline.phases.outage;
        let Some(served) = outage.map(|outage| outage.to).or_else(|| self.witness.first_good(recovery.to))
        else {
            let reason = self.witness.first_bad(recovery.from).map_or("nobody asked", |(_, reason)| reason);
            let since = Human(self.timeline.end - recovery.to);
            let what = if self.settings.kind.notifies() {
                format!("systemd says it is ready, but no client was served again ({reason})")
            } else {
                let started = ms(recovery);
                format!(
                    "it was started again after {started}, but no client was served in the {since} since then ({reason})"
                )
            };
            return Some(Finding::never(what, recovery.to, self.timeline.end));
        };
        let late = served - recovery.to;
        // Who asks seldom, or late, has seen nothing meanwhile.
        let unserved = self.witness.unserved_for(recovery.to, served);
        if !self.settings.kind.notifies() {
            let ready = self.expect.ready(self.settings).filter(|ready| unserved > *ready + ALLOWANCE)?;
            let what = format!(
                "clients were served only {} after it was started again, later than [ready] within, {}",
                Human(late),
                Human(ready)
            );
            return Some(Finding::late(
                what,
                unserved.saturating_sub(ready + ALLOWANCE),
                recovery.to,
                served,
            ));
        }
        (unserved > ALLOWANCE).then(|| {
            let (ready, later) = (ms(recovery), Human(late));
            let what = format!(
                "systemd says it was ready after {ready}, but clients were served only {later} later"
            );
            Finding::late(what, unserved.saturating_sub(ALLOWANCE), recovery.to, served)
        })
    }

    fn failed(&self) -> Vec<Finding> {
        let phases = &self.timeline.phases;
        if let Some(recovery) = phases.recovery {
            let after = ms(recovery);
            return vec![
                format!("the service was to fail for good, but was ready again after {after}").into(),
            ];
        }
        if phases.detect.is_none() {
            return self.why_not_detected();
        }
        let not_failed = (!self.timeline.gave_up(self.settings)).then(|| {
            let what = "systemd has not given the service up: it was still trying".to_owned();
            Finding::never(what, self.timeline.origin, self.timeline.end)
        });
        [self.wrong_cause().map(Finding::from), not_failed, self.failed_requests(), self.hang_report()]
            .into_iter()
            .flatten()
            .chain(self.parts())
            .collect()
    }

    /// A report is worth something if it is in the journal before systemd ends what it is about.
    fn hang_report(&self) -> Option<Finding> {
        match (self.expect.hang_report?, self.timeline.hang_report()) {
            (true, None) => {
                let by = self.timeline.phases.detect.map_or(self.timeline.end, |detect| detect.to);
                let what = "sd-watchdog put no hang report into the journal".to_owned();
                Some(Finding::never(what, self.timeline.origin, by))
            }
            (true, Some(report)) => {
                // In a journal of its own it has the moment of another journald.
                let is_apart = self.settings.log_namespace.is_some();
                let granted = if is_apart { ALLOWANCE } else { Duration::ZERO };
                let is_late = |detect: &Span| report.at > detect.to + granted;
                let detect = self.timeline.phases.detect.filter(is_late)?;
                let late = report.at - detect.to;
                let what = format!(
                    "the hang report came {} after systemd had begun to end the service",
                    Human(late)
                );
                Some(Finding::late(what, late, detect.from, report.at))
            }
            (false, Some(report)) => {
                let what = format!("there was to be no hang report, but: {}", report.kind);
                Some(if self.timeline.has(is_injection) {
                    what.into()
                } else {
                    self.unpinged(what, report.at)
                })
            }
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
                if let Some(healed) = self.timeline.healed() {
                    let after = Human(healed - self.timeline.origin);
                    return format!(
                        "left alone: neither ended nor restarted, and clients are served since it was healed after {after}"
                    );
                }
                if self.timeline.has(is_injection) {
                    return format!("left alone for {calm} after the injection: neither ended nor restarted");
                }
                format!("undisturbed for {calm}: no restart, and {} of {all} asks answered", all - failed)
            }
            (Outcome::Stopped, _) => {
                let ended = self.timeline.phases.detect.map(|detect| format!(" {} after that", ms(detect)));
                format!("stopped when it was asked to, in order{}", ended.unwrap_or_default())
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
