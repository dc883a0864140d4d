//! Whether the parts of a trial were as expected: each phase, the restart counter, the journal, the diagnosis.

use super::{Case, Finding, Human, Kind, ms};
use crate::model::bound::Bounds;
use crate::model::phase::Phase;

impl Case<'_> {
    pub(super) fn parts(&self) -> Vec<Finding> {
        let late = Bounds::PHASES.into_iter().filter_map(|phase| self.late_phase(phase));
        let others = [self.restarts(), self.diagnosis()].into_iter().flatten();
        late.chain(others).chain(self.unwritten()).chain(self.written()).collect()
    }

    /// A phase that did not happen has not taken too long.
    fn late_phase(&self, phase: Phase) -> Option<Finding> {
        let (within, name) = (self.expect.within(phase)?, phase.name());
        let Some(limit) = self.expect.phase_limit(phase, self.settings) else {
            return Some(format!("{name} cannot be held against {within}: it is off in this unit").into());
        };
        let span = self.timeline.phases.get(phase)?;
        let over = span.length().checked_sub(limit).filter(|over| !over.is_zero())?;
        let named =
            if within.starts_with(char::is_uppercase) { format!("{within}, ") } else { String::new() };
        let what =
            format!("{name} took {}, longer than the {named}{} expected of it", ms(span), Human(limit));
        Some(Finding::late(what, over, span.from, span.to))
    }

    fn restarts(&self) -> Option<Finding> {
        let expected = self.expect.restarts?;
        let is_restart = |kind: &Kind| matches!(kind, Kind::RestartScheduled { .. });
        let seen = self.timeline.events.iter().filter(|event| is_restart(&event.kind)).count() as u64;
        let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
        (seen != expected).then(|| {
            format!("systemd was to restart the service {}, and did so {}", times(expected), times(seen))
                .into()
        })
    }

    fn diagnosis(&self) -> Option<Finding> {
        let wanted = self.expect.diagnosis.as_deref()?;
        let Some(report) = self.timeline.hang_report() else {
            // Where it is to be there it is said already that it is not.
            if self.expect.hang_report == Some(true) {
                return None;
            }
            let by = self.timeline.phases.detect.map_or(self.timeline.end, |detect| detect.to);
            let what =
                format!("sd-watchdog was to diagnose \"{wanted}\", and put no hang report into the journal");
            return Some(Finding::never(what, self.timeline.origin, by));
        };
        match &report.kind {
            Kind::HangReport { diagnosis: Some(seen), .. } if seen.contains(wanted) => None,
            Kind::HangReport { diagnosis: Some(seen), .. } => {
                Some(format!("sd-watchdog was to diagnose \"{wanted}\", and its diagnosis is: {seen}").into())
            }
            _ => Some(
                format!("sd-watchdog was to diagnose \"{wanted}\", and its hang report has no diagnosis")
                    .into(),
            ),
        }
    }

    fn unwritten(&self) -> impl Iterator<Item = Finding> {
        let missing = self.expect.journal.iter().filter(|text| self.timeline.logged(text).is_none());
        missing.map(|text| {
            let what = format!(
                "neither systemd nor sd-watchdog has put a line about the unit into the journal that has \"{text}\""
            );
            Finding::never(what, self.timeline.origin, self.timeline.end)
        })
    }

    fn written(&self) -> impl Iterator<Item = Finding> {
        let found = self.expect.journal_without.iter().filter_map(|text| self.timeline.logged(text));
        found.filter_map(|event| {
            let Kind::Logged { text, line } = &event.kind else { return None };
            let after = Human(event.at - self.timeline.origin);
            Some(format!("no line of the journal was to have \"{text}\", yet after {after}: {line}").into())
        })
    }
}
