//! What a finding means: a hang that was ordered is found, or something must not have happened.

use super::super::account::Finding;
use super::super::clock::{self, Time};
use super::super::deeds::Doing;
use super::super::guarded::Happened;
use super::super::injections::Injection;
use super::super::report;
use super::{Complaint, Soak};

impl Soak {
    pub(super) fn open_injection(&mut self, index: usize) -> Option<&mut Injection> {
        self.injections.iter_mut().find(|injection| injection.service == index && injection.outcome.is_none())
    }

    pub(super) fn happened(&mut self, index: usize, happened: Happened) {
        let _ = self.record(index, &happened);
        match happened {
            Happened::Hung(since) => {
                if let Some(injection) = self.open_injection(index) {
                    injection.began.get_or_insert(since);
                }
            }
            Happened::Said(..) => {}
            Happened::Finding(finding, at) => self.found(index, &finding, at),
        }
    }

    fn found(&mut self, index: usize, finding: &Finding, at: Time) {
        let timing = self.timing;
        let guarded = &mut self.guarded[index];
        guarded.look();
        let is_late = guarded.is_late(at);
        let injection = self.injections.iter_mut().find(|injection| {
            injection.service == index
                && injection.outcome.is_none()
                && injection.began.is_some_and(|began| began <= at)
        });
        if let (Some(injection), Finding::Trigger(_) | Finding::Lapse(_)) = (injection, finding) {
            let began = injection.began.unwrap_or(at);
            injection.silenced = guarded.silenced_since(began, &timing);
            injection.stalled = self.stalls.between(began, at);
            let kept = guarded.pressure.share(began, at);
            injection.found(finding, at, kept, is_late, &timing);
        } else {
            let stalled = self.stalls.between(at.saturating_sub(timing.watchdog), at);
            let unsound = if is_late {
                Some("the soak kept it from speaking for longer than it meant to")
            } else if guarded.is_doubtful(at) {
                Some("the service itself, or its control, did not answer a client within W")
            } else if self.stamps.stepped_since(at.saturating_sub(timing.watchdog)) {
                Some("somebody set the clock")
            } else if matches!(finding, Finding::Lapse(gap) if gap.saturating_sub(stalled) < timing.watchdog)
            {
                Some("the soak itself stood still meanwhile")
            } else {
                None
            };
            let kept = guarded.pressure.share(at.saturating_sub(timing.watchdog), at);
            let kept =
                kept.map_or(String::new(), |kept| format!("; kept from running {:.0} % of W", kept * 100.0));
            let what = match finding {
                Finding::Trigger(status) => format!("triggered: {status}{kept}"),
                Finding::Lapse(gap) => format!("no ping for {:.2} s{kept}", gap.as_secs_f64()),
                Finding::StartTimeout(status) => format!("not READY in time: {status}{kept}"),
                Finding::Exit(how) => format!("ended: {how}"),
            };
            self.complain(index, at, what, unsound);
        }
        let is_exit = matches!(finding, Finding::Exit(_));
        if !is_exit {
            self.guarded[index].kill(clock::now());
        }
    }

    fn complain(&mut self, index: usize, at: Time, what: String, unsound: Option<&'static str>) {
        let at = at.saturating_sub(self.began);
        let complaint = Complaint { at, who: self.guarded[index].part.name.clone(), what, unsound };
        let under: Vec<String> = self.doing.iter().map(Doing::name).collect();
        report::complaint(&complaint, &under, &self.guarded[index].last_words(4));
        self.complaints.push(complaint);
    }

    /// Hangs that nobody tells.
    pub(super) fn wait_for_hangs(&mut self, now: Time) {
        let timing = self.timing;
        for index in 0..self.injections.len() {
            let injection = &mut self.injections[index];
            if injection.outcome.is_some() {
                continue;
            }
            let service = injection.service;
            let guarded = &self.guarded[service];
            let began = injection.began.unwrap_or(injection.ordered);
            injection.silenced = guarded.silenced_since(began, &timing);
            injection.stalled = self.stalls.between(began, now);
            if injection.is_given_up(now, guarded.pressure.share(began, now), &timing) {
                self.guarded[service].kill(now);
            }
        }
    }
}
