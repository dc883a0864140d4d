//! Whether a service that was stopped on request ended in order, and stayed down.

use super::{By, Case, Finding, Kind, ms};

impl Case<'_> {
    pub(super) fn stopped(&self) -> Vec<Finding> {
        if let Some(recovery) = self.timeline.phases.recovery {
            let after = ms(recovery);
            return vec![format!("the service was to stay down, but was ready again after {after}").into()];
        }
        if self.timeline.cause() == Some(By::Watchdog) {
            return vec!["the service was ended by the watchdog, and not by the stop".to_owned().into()];
        }
        let failed = self.timeline.events.iter().rev().find_map(|event| match &event.kind {
            Kind::Failed { result } => Some(result),
            _ => None,
        });
        let disorder = match failed {
            Some(result) => {
                Some(format!("the service did not stop in order: systemd's last word is \"{result}\"").into())
            }
            None if self.timeline.has(|kind| *kind == Kind::Deactivated) => None,
            None => {
                let what = "the service had not ended in TimeoutStopSec=, nor when it was killed".to_owned();
                Some(Finding::never(what, self.timeline.origin, self.timeline.end))
            }
        };
        let checks = [disorder, self.failed_requests(), self.hang_report()].into_iter().flatten();
        checks.chain(self.parts()).collect()
    }
}
