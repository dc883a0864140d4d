//! The story of a case: what its moments come to, so far or altogether. An incremental fold, and the only reader of moments that
//! a verdict is made from; so live, replayed and merged they come to the same.
//!
//! A moment costs the same however many there were: a line that tells nothing is looked at once and, but for the last few,
//! forgotten.

use std::collections::VecDeque;

use super::ask::{Answer, Ask, Streak, Witness};
use super::case::{CaseId, Plan};
use super::clock::Usec;
use super::description::Description;
use super::entry::Entry;
use super::event::{self, Event, Kind};
use super::moment::{Because, Injected, Journal, Moment, What};
use super::patience::{self, Patience};
use super::settings::{Guard, Settings};
use super::text::one_line;
use super::timeline::Timeline;
use super::verdict::{Verdict, judge};

/// How many of the journal's lines are shown with what went wrong.
const LAST_LINES: usize = 10;

/// What is known of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// Which.
    pub case: CaseId,
    /// What it is.
    pub plan: Plan,
    /// What was booted for it.
    pub machine: Option<Description>,
    /// The unit as systemd understood it, as far as it has told.
    pub settings: Option<Settings>,
    /// When the trial began.
    pub began: Option<Usec>,
    /// When it was over.
    pub ended: Option<Usec>,
    /// Why there is nothing to try.
    pub skipped: Option<String>,
    /// What of the instrument broke.
    pub broke: Option<String>,
    /// Once clients are served, when that was.
    steady: Option<Usec>,
    /// In the order of their times.
    events: Vec<Event>,
    witness: Witness,
    /// With when journald received them, in that order.
    last_lines: VecDeque<(Option<Usec>, String)>,
}

impl Story {
    /// Of a case of which nothing has happened yet.
    pub fn new(case: CaseId, plan: Plan) -> Self {
        let Plan { scenario, description, unit, fault, mut expect, .. } = plan;
        let (scenario, description, unit) = (one_line(scenario), one_line(description), one_line(unit));
        for span in [&mut expect.recovery_within, &mut expect.undisturbed_for, &mut expect.ready_within] {
            *span = span.take().map(one_line);
        }
        Self {
            case,
            plan: Plan { scenario, description, unit, fault: fault.map(one_line), expect, ..plan },
            machine: None,
            settings: None,
            began: None,
            ended: None,
            skipped: None,
            broke: None,
            steady: None,
            events: Vec::new(),
            witness: Witness::default(),
            last_lines: VecDeque::new(),
        }
    }

    /// Takes in a moment of this case, and returns the event that was read out of it, if it tells one.
    pub fn take(&mut self, moment: &Moment) -> Option<&Event> {
        match &moment.what {
            What::Planned(_) => {}
            What::Booted(Description { backend, systemd, boot_ms }) => {
                let (backend, systemd) = (one_line(backend.clone()), one_line(systemd.clone()));
                self.machine = Some(Description { backend, systemd, boot_ms: *boot_ms });
            }
            What::Settings(settings) => {
                // How the service is guarded systemd does not know.
                let guard = settings.guard.clone().or_else(|| self.settings.take()?.guard);
                let unit = one_line(settings.unit.clone());
                self.settings = Some(Settings { unit, guard, ..settings.clone() });
            }
            What::Began => self.began = Some(moment.at),
            What::Watched => self.witness.forget_before(moment.at),
            What::Steady => {
                self.steady = Some(moment.at);
                self.witness.forget_before(moment.at);
            }
            What::Injected(Injected { fault, until }) => {
                let within_usec =
                    until.and_then(|until| until.0.checked_sub(moment.at.0)).filter(|usec| *usec > 0);
                let kind = Kind::Injected { fault: one_line(fault.clone()), within_usec };
                return Some(self.happened(Event { at: moment.at, kind }));
            }
            What::Journal(Journal { entry }) => return self.heard(entry),
            What::Asks(asks) => {
                for ask in &asks.0 {
                    self.witness.add(Ask { answer: harmless(&ask.answer), ..*ask });
                }
            }
            What::Clients(streak) => {
                self.witness.push(&Streak { answer: harmless(&streak.answer), ..*streak });
            }
            What::Skipped(Because { reason }) => self.skipped = Some(one_line(reason.clone())),
            What::Broke(Because { reason }) => self.broke = Some(one_line(reason.clone())),
            What::Ended => self.ended = Some(moment.at),
        }
        None
    }

    fn heard(&mut self, entry: &Entry) -> Option<&Event> {
        // What each process of a hung service did is in the report's summary already.
        if !entry.has("HANGPROOF_EVENT", "hang_report_process") {
            let at = entry.at();
            let place = self.last_lines.partition_point(|(earlier, _)| *earlier <= at);
            self.last_lines.insert(place, (at, entry.line()));
            if self.last_lines.len() > LAST_LINES {
                self.last_lines.pop_front();
            }
        }
        if let (Some(guard), Some(settings)) = (Guard::told(entry, &self.plan.unit), &mut self.settings) {
            settings.guard = Some(guard);
        }
        let event = event::read(entry, &self.plan.unit)?;
        Some(self.happened(event))
    }

    fn happened(&mut self, event: Event) -> &Event {
        let place = self.events.partition_point(|earlier| earlier.at <= event.at);
        self.events.insert(place, event);
        &self.events[place]
    }

    /// What was read, in the order of its times.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What clients saw.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// The last lines about the unit in the journal.
    pub fn last_lines(&self) -> Vec<String> {
        self.last_lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// What happened until the trial was over, or else until `now`.
    pub fn timeline(&self, now: Usec) -> Timeline {
        let begin = self.steady.or(self.began).unwrap_or(now);
        Timeline::new(begin, self.ended.unwrap_or(now), self.events.clone(), &self.witness)
    }

    /// How long the rest of the trial is waited for, after its injection. Clients' asks are known up to `known_until`.
    pub fn waits(&self, now: Usec, known_until: Usec) -> Patience {
        let Some(settings) = &self.settings else { return Patience::Settled };
        let timeline =
            Timeline::of_events(self.steady.or(self.began).unwrap_or(now), now, self.events.clone());
        patience::after_injection(&timeline, &self.witness, &self.plan.expect, settings, known_until)
    }

    /// Whether it was as expected. Nothing else is asked for it.
    pub fn verdict(&self) -> Verdict {
        if let Some(reason) = &self.skipped {
            return Verdict::Skip { reason: reason.clone() };
        }
        if let Some(broke) = &self.broke {
            return Verdict::Unsound { reasons: vec![broke.clone()] };
        }
        match self.ended {
            Some(end) => self.verdict_at(end),
            None => Verdict::Unsound { reasons: vec!["it was not made to its end".into()] },
        }
    }

    /// Whether it would be as expected if it were over at `now`.
    pub fn verdict_at(&self, now: Usec) -> Verdict {
        match &self.settings {
            Some(settings) => judge(&self.timeline(now), &self.witness, &self.plan.expect, settings),
            None => Verdict::Unsound { reasons: vec!["systemd has not told the unit's settings".into()] },
        }
    }
}

fn harmless(answer: &Answer) -> Answer {
    match answer {
        Answer::Good => Answer::Good,
        Answer::Bad(reason) => Answer::Bad(one_line(reason.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bound::tests::settings;
    use crate::model::settings::{Guard, OnHang};

    fn story() -> Story {
        let plan = Plan {
            scenario: "any".into(),
            description: String::new(),
            unit: "x.service".into(),
            trial: 1,
            seed: 1,
            fault: None,
            expect: serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation"),
            ask_interval_usec: None,
        };
        Story::new(CaseId::of("any", 1), plan)
    }

    fn tell(story: &mut Story, what: What) {
        let moment = Moment { at: Usec(1), case: story.case, what };
        story.take(&moment);
    }

    #[test]
    fn the_last_lines_are_those_of_the_latest_times_however_late_they_are_told() {
        let mut story = story();
        // The service's own come last of all, when somebody has to find out why.
        for time in (0..20).step_by(2).chain([13, 3, 15]) {
            let line = format!(
                r#"{{"_COMM":"x","_SYSTEMD_UNIT":"x.service","MESSAGE":"{time}","__MONOTONIC_TIMESTAMP":"{time}"}}"#
            );
            tell(&mut story, What::Journal(Journal { entry: Entry::parse(&line).expect("an entry") }));
        }
        let expected = [4, 6, 8, 10, 12, 13, 14, 15, 16, 18];
        assert_eq!(story.last_lines(), expected.map(|time| format!("x: {time}")));
    }

    #[test]
    fn how_a_service_is_guarded_is_known_also_after_systemd_has_told_its_settings_again() {
        let mut story = story();
        let bare = Settings { guard: None, ..settings(OnHang::Trigger) };
        let guard =
            |story: &Story| story.settings.as_ref()?.guard.as_ref().map(|guard: &Guard| guard.on_hang);
        tell(&mut story, What::Settings(bare.clone()));
        assert_eq!(guard(&story), None);
        let told = r#"{"_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service","HANGPROOF_EVENT":"settings","HANGPROOF_ON_HANG":"withhold",
            "HANGPROOF_INTERVAL_USEC":"1","HANGPROOF_TIMEOUT_USEC":"1","HANGPROOF_FAILURES":"3","HANGPROOF_RETRY_INTERVAL_USEC":"1"}"#;
        tell(&mut story, What::Journal(Journal { entry: Entry::parse(told).expect("an entry") }));
        assert_eq!(guard(&story), Some(OnHang::Withhold));
        tell(&mut story, What::Settings(bare));
        assert_eq!(guard(&story), Some(OnHang::Withhold));
    }
}
