//! Why what was to happen did not: no injection, no detection, no restart.

use super::{
    ALLOWANCE, By, Case, Deed, Finding, Human, Kind, OnHang, Restart, Timeline, Usec, is_watchdog, ms,
};

impl Case<'_> {
    pub(super) fn never_injected(&self) -> Vec<Finding> {
        let Timeline { origin, end, .. } = *self.timeline;
        // Between two trials it is stopped in order, to be started anew.
        let up = self.timeline.last_of(|kind| *kind == Kind::Ready).map_or(origin, |event| event.at);
        let undone = self.timeline.events.iter().filter(|event| match event.kind {
            Kind::Stopping | Kind::Deactivated => event.at >= up,
            Kind::Exited(_) | Kind::Failed { .. } | Kind::WatchdogTimeout | Kind::WatchdogTrigger { .. } => {
                true
            }
            _ => false,
        });
        let told = |kind: &Kind| match kind {
            Kind::Stopping => "systemd stopped it".to_owned(),
            kind => kind.to_string(),
        };
        let what = undone.map(|event| told(&event.kind)).collect::<Vec<_>>().join("; ");
        let is_up = self.timeline.has(|kind| *kind == Kind::Ready) || !self.was_disturbed();
        if what.is_empty() && is_up && !self.witness.was_served() {
            let reason = self.witness.first_bad(Usec(0)).map_or("nobody asked", |(_, reason)| reason);
            let waited = Human(end - origin);
            let what = format!("the service was up, but no client was served in {waited} ({reason})");
            return vec![Finding::never(what, origin, end)];
        }
        let what = if what.is_empty() { "systemd did not say why".into() } else { what };
        let how = if self.witness.was_served() {
            "was disturbed before anything was done to it"
        } else if self.timeline.has(|kind| *kind == Kind::Ready) {
            "did not stay up until it served"
        } else {
            "did not start"
        };
        let what = format!("the service {how}: {what}");
        let by_watchdog = self.timeline.first(origin, is_watchdog);
        vec![by_watchdog.map_or_else(|| what.clone().into(), |event| self.unpinged(what.clone(), event.at))]
    }

    /// What systemd's watchdog, or another's, has found by `at`, which is what came, or did not, in the time that it looks back.
    pub(super) fn unpinged(&self, what: String, at: Usec) -> Finding {
        let watchdog = self.settings.span("WatchdogSec").unwrap_or(at - self.timeline.origin);
        Finding::never(what, at.before(watchdog), at)
    }

    pub(super) fn why_not_restarted(&self) -> Vec<Finding> {
        let Some(detect) = self.timeline.phases.detect else { return self.why_not_detected() };
        if let Some(reason) = self.refused() {
            return vec![reason.into()];
        }
        // Who ends by himself was not found to hang.
        let what = match self.timeline.cause() {
            Some(By::Exit) => "the process ended",
            Some(By::Watchdog) | None => "the hang was noticed",
        };
        let seen = format!("{what} after {}, but the service did not become ready", ms(detect));
        if self.settings.restart == Restart::No {
            return vec![format!("{seen}: the unit has Restart=no").into()];
        }
        let Some((result, is_scheduled)) = self.last_result() else {
            return vec![Finding::never(seen, detect.to, self.timeline.end)];
        };
        let restart = &self.settings.restart;
        if !is_scheduled && restart.restarts(result) == Some(false) {
            let which = match result {
                "watchdog" => "that the watchdog ended",
                "success" => "that ended without a failure (exit code 0, SIGTERM, …)",
                "exit-code" => "that exited by itself",
                "timeout" => "that a timeout ended",
                "oom-kill" => "that was ended for its memory",
                _ => "that a signal ended",
            };
            return vec![
                format!("{seen}: the unit has Restart={restart}, which restarts nothing {which}").into(),
            ];
        }
        let what = format!("{seen}: systemd's last word is \"{result}\"");
        vec![Finding::never(what, detect.to, self.timeline.end)]
    }

    /// How the service ended, in systemd's word, and whether it was to be started again since.
    fn last_result(&self) -> Option<(&str, bool)> {
        let mut is_scheduled = false;
        for event in self.timeline.events.iter().rev() {
            let result = match &event.kind {
                Kind::RestartScheduled { .. } | Kind::Starting => {
                    is_scheduled = true;
                    continue;
                }
                Kind::Failed { result } => result.as_str(),
                Kind::Deactivated => "success",
                _ => continue,
            };
            return Some((result, is_scheduled));
        }
        // There the word is still to come.
        (self.timeline.cause() == Some(By::Watchdog)).then_some(("watchdog", is_scheduled))
    }

    pub(super) fn why_not_detected(&self) -> Vec<Finding> {
        let Timeline { origin, end, .. } = *self.timeline;
        let (mut facts, mut reasons) = (Vec::new(), Vec::new());
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
        } else if self.timeline.deed() == Deed::Silences {
            facts.push("nobody watched the service any more, and nothing came of it".to_owned());
        } else {
            facts.push("the fault had no effect: clients were served all the time".to_owned());
        }
        match self.settings.span("WatchdogSec") {
            _ if self.settings.guard.as_ref().is_some_and(|guard| guard.on_hang == OnHang::Restart) => {
                reasons.push("sd-watchdog guard has not had the service ended".into());
            }
            None => facts.push("the watchdog of this unit is off (WatchdogSec=0): systemd cannot notice a hang".into()),
            Some(watchdog) => reasons.push(format!(
                "the watchdog did not expire within WatchdogSec ({}): something pings although the service hangs",
                Human(watchdog)
            )),
        }
        let reasons = reasons.into_iter();
        // One that cannot be excused is not made doubtful by what follows from it.
        if facts.is_empty() {
            return reasons.map(|what| Finding::never(what, origin, end)).collect();
        }
        reasons.chain(facts).map(Finding::from).collect()
    }

    pub(super) fn refused(&self) -> Option<String> {
        self.timeline.has(|kind| *kind == Kind::StartLimitHit).then(|| {
            "systemd gave up: the start limit was hit (StartLimitBurst= within StartLimitIntervalSec=)".into()
        })
    }
}
