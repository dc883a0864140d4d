//! Whether a service was left alone, and served.

use super::{Case, Deed, Finding, Human, Kind, Usec, is_injection, is_watchdog};

impl Case<'_> {
    pub(super) fn undisturbed(&self) -> Vec<Finding> {
        let mut reasons: Vec<Finding> = Vec::new();
        let is_hung = self.timeline.has(is_injection);
        if let Some(event) = self.timeline.first(self.timeline.origin, Kind::is_disturbance) {
            let after = Human(event.at - self.timeline.origin);
            let asked = if self.timeline.deed() == Deed::Spares {
                "the service was to be left alone"
            } else if is_hung {
                "the hung service was to be left alone"
            } else {
                "nothing was done to the service"
            };
            let what = format!("{asked}, yet after {after}: {}", event.kind);
            let is_doubtful = !is_hung && is_watchdog(&event.kind);
            reasons.push(if is_doubtful { self.unpinged(what, event.at) } else { what.into() });
        }
        if is_hung {
            // That it is called hung is true, and that clients are not served is the fault's doing.
            let checks = [
                self.failed_requests(),
                self.unserved_before(),
                self.hang_report(),
                self.unserved_though_healed(),
                self.unserved_though_spared(),
            ];
            reasons.extend(checks.into_iter().flatten());
            reasons.extend(self.parts());
            return reasons;
        }
        // Who calls a healthy service hung is wrong, even if nothing comes of it.
        match self.timeline.hang_report() {
            Some(event) if self.expect.hang_report.is_none() => {
                let after = Human(event.at - self.timeline.origin);
                let what = format!("nothing was done to the service, yet after {after}: {}", event.kind);
                reasons.push(self.unpinged(what, event.at));
            }
            _ => reasons.extend(self.hang_report()),
        }
        let (failed, all) = self.witness.failed_of();
        if let Some((ask, _)) = self.witness.failed_since(Usec(0)) {
            let what =
                format!("nothing was done to the service, yet {failed} of {all} asks were not answered well");
            reasons.push(Finding::never(what, ask.asked, ask.known));
        }
        reasons.extend(self.failed_requests());
        reasons.extend(self.parts());
        if all == 0 {
            reasons.push(Finding::deaf("no client asked: the observer did not work".into()));
        }
        reasons
    }

    /// Whoever is healed serves again, and goes on serving.
    pub(super) fn unserved_though_healed(&self) -> Option<Finding> {
        let healed = self.timeline.healed()?;
        let reason = match self.witness.first_good(healed) {
            Some(served) => self.witness.first_bad(served)?.1,
            None => self.witness.first_bad(healed).map_or("nobody asked", |(_, reason)| reason),
        };
        let after = Human(healed - self.timeline.origin);
        let what = format!("the fault was healed after {after}, yet clients are not served since ({reason})");
        Some(Finding::never(what, healed, self.timeline.end))
    }

    /// Whoever is to outlive the fault serves while it lasts.
    pub(super) fn unserved_though_spared(&self) -> Option<Finding> {
        let since = self.timeline.took_effect();
        if self.timeline.deed() != Deed::Spares || self.witness.first_good(since).is_some() {
            return None;
        }
        let reason = self.witness.first_bad(since).map_or("nobody asked", |(_, reason)| reason);
        let what = format!("the service was to go on serving, and no client was served any more ({reason})");
        Some(Finding::never(what, since, self.timeline.end))
    }
}
