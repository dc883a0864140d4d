//! The story of a case: what its moments come to, so far or altogether. An incremental fold, and the only reader of moments that
//! a verdict is made from; so live, replayed and merged they come to the same.
//!
//! A moment costs the same however many there were: a line that tells nothing is looked at once and, but for the last few,
//! forgotten.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use super::ask::{Answer, Ask, Streak, TICK, Witness};
use super::bound::MARGIN;
use super::case::{CaseId, Plan};
use super::clock::Usec;
use super::description::Description;
use super::entry::Entry;
use super::episode::{self, Episode};
use super::event::{self, Event, Kind};
use super::expect::{Expectation, Outcome};
use super::moment::{Because, Healed, Injected, Journal, Moment, Noted, Stalled, What};
use super::patience::{self, Patience};
use super::phase::Span;
use super::sequence::Step;
use super::settings::{Guard, Settings};
use super::text::{lines, one_line};
use super::third_witness::PidOne;
use super::timeline::Timeline;
use super::verdict::Verdict;

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
    /// What a person should know of how the service was installed, on the machine's first case.
    pub notes: Vec<String>,
    /// When the trial began.
    pub began: Option<Usec>,
    /// When it was over.
    pub ended: Option<Usec>,
    /// Why there is nothing to try.
    pub skipped: Option<String>,
    /// What of the instrument broke.
    pub broke: Option<String>,
    /// What the instrument may not have heard.
    deaf: Option<String>,
    /// What PID 1 said last, and when it was asked.
    pid_one: Option<(Usec, PidOne)>,
    /// How many restarts it counted before anything else was known of the trial, where it was asked.
    restarts_before: u32,
    /// Once clients are served, when that was.
    steady: Option<Usec>,
    /// What is looked for in the journal's lines.
    wanted: Vec<String>,
    /// In the order of their times.
    events: Vec<Event>,
    witness: Witness,
    /// With their times, in that order.
    last_lines: VecDeque<(Option<Usec>, String)>,
}

impl Story {
    /// Of a case of which nothing has happened yet.
    pub fn new(case: CaseId, plan: Plan) -> Self {
        let Plan { scenario, description, unit, fault, mut then, mut expect, observed, .. } = plan;
        let (scenario, description, unit) = (one_line(scenario), one_line(description), one_line(unit));
        harmless_texts(&mut expect);
        for step in &mut then {
            step.fault = one_line(std::mem::take(&mut step.fault));
            step.expect.iter_mut().for_each(harmless_texts);
        }
        let expected = std::iter::once(&expect).chain(then.iter().filter_map(|step| step.expect.as_ref()));
        let mut wanted = expected.flat_map(Expectation::journal_texts).cloned().collect::<Vec<_>>();
        wanted.sort();
        wanted.dedup();
        let interval = plan.ask_interval_usec.map_or(TICK, Duration::from_micros);
        Self {
            case,
            plan: Plan {
                scenario,
                description,
                unit,
                fault: fault.map(one_line),
                then,
                expect,
                observed: observed.map(one_line),
                ..plan
            },
            machine: None,
            settings: None,
            notes: Vec::new(),
            began: None,
            ended: None,
            skipped: None,
            broke: None,
            deaf: None,
            pid_one: None,
            restarts_before: 0,
            steady: None,
            wanted,
            events: Vec::new(),
            witness: Witness::every(interval),
            last_lines: VecDeque::new(),
        }
    }

    /// Takes in a moment of this case, and returns the event that was read out of it, if it tells one.
    pub fn take(&mut self, moment: &Moment) -> Option<&Event> {
        match &moment.what {
            // What is healed at the end is not asked to serve again; and what the unit's files come to, systemd has told.
            What::Planned(_) | What::Gauge(_) | What::Unit(_) | What::Healed(Healed { at_end: true, .. }) => {
            }
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
            What::Noted(Noted { note }) => self.notes.push(one_line(note.clone())),
            What::Began => self.began = Some(moment.at),
            What::Watched => self.witness.forget_before(moment.at),
            What::Steady => {
                self.steady = Some(moment.at);
                self.witness.forget_before(moment.at);
            }
            What::Injected(Injected { fault, until, deed }) => {
                let within_usec =
                    until.and_then(|until| until.0.checked_sub(moment.at.0)).filter(|usec| *usec > 0);
                let kind = Kind::Injected { fault: one_line(fault.clone()), within_usec, deed: *deed };
                return Some(self.happened(Event { at: moment.at, kind }));
            }
            What::Healed(Healed { fault, at_end: false }) => {
                let kind = Kind::Healed { fault: one_line(fault.clone()) };
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
            What::Load(load) => self.witness.add_load(load),
            What::Stalled(Stalled { since, usec }) => {
                let span = Span { from: (*since).min(moment.at), to: moment.at };
                self.witness.add_stall(span, Duration::from_micros(*usec));
            }
            What::Skipped(Because { reason }) => self.skipped = Some(one_line(reason.clone())),
            What::PidOne(pid_one) => self.testified(moment.at, pid_one),
            What::Deaf(Because { reason }) => self.deaf = Some(one_line(reason.clone())),
            What::Broke(Because { reason }) => self.broke = Some(lines(reason.clone())),
            What::Ended => self.ended = Some(moment.at),
        }
        None
    }

    /// PID 1 has answered. Where its words are kept out of the journal, that is all there is.
    fn testified(&mut self, asked: Usec, pid_one: &PidOne) {
        if self.settings.as_ref().is_some_and(Settings::is_silent) {
            let began = self.began.unwrap_or(Usec(0));
            for event in pid_one.events_since(self.pid_one.as_ref().map(|(_, pid_one)| pid_one), began) {
                self.happened(event);
            }
        }
        let is_first = self.pid_one.is_none() && self.events.is_empty() && self.witness.failed_of().1 == 0;
        if is_first {
            self.restarts_before = pid_one.restarts;
        }
        self.pid_one = Some((asked, pid_one.clone()));
    }

    /// What PID 1 said last.
    pub fn pid_one(&self) -> Option<&PidOne> {
        self.pid_one.as_ref().map(|(_, pid_one)| pid_one)
    }

    /// In what PID 1 and the journal contradict each other.
    pub fn contradictions(&self) -> Vec<String> {
        let (Some((asked, pid_one)), Some(began)) = (&self.pid_one, self.began) else { return Vec::new() };
        pid_one.contradictions(began, self.restarts_before, *asked, &self.events)
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
        for number in 0..self.wanted.len() {
            let logged = event::logged(entry, &self.plan.unit, &self.wanted[number]);
            // Of many lines with the same text the first of each episode tells as much as all.
            if let Some(event) = logged.filter(|event| !self.is_known(event)) {
                self.happened(event);
            }
        }
        let event = event::read(entry, &self.plan.unit)?;
        Some(self.happened(event))
    }

    /// Whether a line with the same text was written before, in the same episode. Before the first has begun nothing is known: when it
    /// does is told afterwards.
    fn is_known(&self, Event { at, kind }: &Event) -> bool {
        let Kind::Logged { text: wanted, .. } = kind else { return false };
        let before = self.events.iter().rev().skip_while(|event| event.at > *at);
        let is_injected = |event: &&Event| matches!(event.kind, Kind::Injected { .. });
        let begin = before.clone().find(is_injected).map(|event| event.at).or(self.steady);
        let Some(begin) = begin else { return false };
        let mut since = before.take_while(|event| event.at >= begin);
        since.any(|event| matches!(&event.kind, Kind::Logged { text, .. } if text == wanted))
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

    /// What happened until the trial was over, or else until `now`: each fault with what came of it.
    pub fn episodes(&self, now: Usec) -> Vec<Episode> {
        let begin = self.steady.or(self.began).unwrap_or(now);
        episode::divide(&self.plan, begin, self.ended.unwrap_or(now), &self.events, &self.witness)
    }

    /// How long the rest of the episode is waited for, after its injection. Clients' asks are known up to `known_until`.
    pub fn waits(&self, now: Usec, known_until: Usec) -> Patience {
        let Some(settings) = &self.settings else { return Patience::Settled };
        let episode = self.episode_so_far(now);
        let expect = self.expected(&episode);
        let patience = patience::after_injection(&episode, &self.witness, &expect, settings, known_until);
        match (patience, episode::heal_after(&self.plan, self.injected())) {
            // What is to be healed is waited for where nothing else is to end it.
            (Patience::Until(until), Some(heal))
                if expect.outcome == Outcome::Undisturbed && episode.healed().is_none() =>
            {
                Patience::Until(until.max(episode.origin + heal + MARGIN))
            }
            (patience, _) => patience,
        }
    }

    /// What is expected of the last fault of the plan, as things are.
    pub fn last_expectation(&self, now: Usec) -> Cow<'_, Expectation> {
        if self.injected() > self.plan.then.len() {
            self.expected(&self.episode_so_far(now))
        } else {
            Cow::Borrowed(episode::expectation(&self.plan, self.plan.then.len()))
        }
    }

    /// What is expected of the last injection, of which this came.
    fn expected(&self, timeline: &Timeline) -> Cow<'_, Expectation> {
        episode::expected(&self.plan, self.injected().saturating_sub(1), timeline, self.settings.as_ref())
    }

    /// Whether what is to be said of the episode rests on what the journal does not have.
    pub fn rests_on_silence(&self, now: Usec) -> bool {
        let timeline = self.episode_so_far(now);
        let expect = self.expected(&timeline);
        // PID 1 is asked sooner than the journal tells what it may.
        let is_ahead = self.settings.as_ref().is_some_and(Settings::is_silent);
        let is_settled = expect.outcome == Outcome::Restarted && timeline.phases.recovery.is_some();
        !is_settled || expect.is_awaited(&timeline) || is_ahead
    }

    /// The fault that is to follow those that were injected.
    pub fn next_fault(&self) -> Option<&Step> {
        episode::next(&self.plan, self.injected())
    }

    /// Whether what it waits for has come.
    pub fn is_due(&self, step: &Step, now: Usec, known_until: Usec) -> bool {
        step.after.has_come(&self.episode_so_far(now), &self.witness, known_until)
    }

    /// The last injection and what the journal says of it; from the beginning of the trial where there was none.
    pub fn episode_so_far(&self, now: Usec) -> Timeline {
        let is_injection = |event: &Event| matches!(event.kind, Kind::Injected { .. });
        let last = self.events.iter().rposition(is_injection).unwrap_or(0);
        let begin = self.steady.or(self.began).unwrap_or(now);
        Timeline::of_events(begin, now, self.events[last..].to_vec())
    }

    fn injected(&self) -> usize {
        self.events.iter().filter(|event| matches!(event.kind, Kind::Injected { .. })).count()
    }

    /// Whether it was as expected. Nothing else is asked for it.
    pub fn verdict(&self) -> Verdict {
        if let Some(reason) = &self.skipped {
            return Verdict::Skip { reason: reason.clone() };
        }
        if let Some(broke) = self.broke.as_ref().or(self.deaf.as_ref()) {
            return Verdict::Unsound { reasons: vec![broke.clone()] };
        }
        let contradictions = self.contradictions();
        if !contradictions.is_empty() {
            return Verdict::Unsound { reasons: contradictions };
        }
        match self.ended {
            Some(end) => self.verdict_at(end),
            None => Verdict::Unsound { reasons: vec!["it was not made to its end".into()] },
        }
    }

    /// Whether it would be as expected if it were over at `now`.
    pub fn verdict_at(&self, now: Usec) -> Verdict {
        match &self.settings {
            Some(settings) => episode::judge_all(&self.plan, &self.episodes(now), settings),
            None => Verdict::Unsound { reasons: vec!["systemd has not told the unit's settings".into()] },
        }
    }
}

fn harmless_texts(expect: &mut Expectation) {
    let texts = [
        &mut expect.recovery_within,
        &mut expect.outage_within,
        &mut expect.undisturbed_for,
        &mut expect.ready_within,
        &mut expect.detect_within,
        &mut expect.kill_within,
        &mut expect.restart_within,
        &mut expect.start_within,
        &mut expect.diagnosis,
    ];
    for text in texts {
        *text = text.take().map(one_line);
    }
    for text in expect.journal.iter_mut().chain(&mut expect.journal_without) {
        *text = one_line(std::mem::take(text));
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
    use crate::model::asks::Asks;
    use crate::model::bound::tests::settings;
    use crate::model::expect::Deed;
    use crate::model::sequence::After;
    use crate::model::settings::{Guard, OnHang};

    fn story() -> Story {
        let plan = Plan {
            scenario: "any".into(),
            description: String::new(),
            unit: "x.service".into(),
            trial: 1,
            seed: 1,
            fault: None,
            heal_after_usec: None,
            then: Vec::new(),
            expect: serde_json::from_str(r#"{"outcome":"undisturbed"}"#).expect("an expectation"),
            observed: None,
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
    fn lines_are_looked_for_in_what_systemd_and_sd_watchdog_write_of_the_unit_and_the_first_of_an_episode_is_enough()
     {
        let expect = r#"{"outcome":"restarted","journal":["dumped"],"journal_without":["gone"]}"#;
        let plan = Plan { expect: serde_json::from_str(expect).expect("an expectation"), ..story().plan };
        let mut story = Story::new(CaseId::of("any", 1), plan);
        let inject = |story: &mut Story, at: u64| {
            let injected = Injected { fault: "mute".into(), until: None, deed: Deed::Hangs };
            story.take(&Moment { at: Usec(at), case: story.case, what: What::Injected(injected) });
        };
        let entry = |story: &mut Story, at: u64, of: &str, message: &str| {
            let line = format!(r#"{{{of},"MESSAGE":"{message}","__MONOTONIC_TIMESTAMP":"{at}"}}"#);
            tell(story, What::Journal(Journal { entry: Entry::parse(&line).expect("an entry") }));
        };
        let systemd = r#""_PID":"1","UNIT":"x.service""#;
        inject(&mut story, 10);
        entry(&mut story, 11, r#""_COMM":"x","_SYSTEMD_UNIT":"x.service""#, "dumped by the service itself");
        entry(&mut story, 12, r#""_PID":"1","UNIT":"y.service""#, "dumped, and another unit");
        for at in 13..100 {
            entry(&mut story, at, systemd, "first\\ncore dumped\\u0007");
        }
        inject(&mut story, 100);
        entry(&mut story, 101, r#""_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service""#, "it is gone, dumped");
        let logged = story.events().iter().filter_map(|event| match &event.kind {
            Kind::Logged { text, line } => Some((event.at.0, text.as_str(), line.as_str())),
            _ => None,
        });
        let mut logged = logged.collect::<Vec<_>>();
        logged.sort_unstable();
        let line = "it is gone, dumped";
        assert_eq!(logged, [(13, "dumped", "core dumped\\u{7}"), (101, "dumped", line), (101, "gone", line)]);
    }

    #[test]
    fn where_nothing_is_injected_lines_count_from_when_the_service_was_steady() {
        let expect = r#"{"outcome":"undisturbed","journal_without":["gone"]}"#;
        for (lines, steady, expected) in [
            (vec![5, 20, 30], 10, vec![5, 20]),
            // It is told of after what was heard meanwhile.
            (vec![5, 12, 20], 10, vec![5, 12]),
            (vec![5, 6], 10, vec![5, 6]),
        ] {
            let plan = Plan { expect: serde_json::from_str(expect).expect("an expectation"), ..story().plan };
            let mut story = Story::new(CaseId::of("any", 1), plan);
            let told_after = lines.iter().filter(|at| **at < 15).count();
            for (index, at) in lines.iter().enumerate() {
                if index == told_after {
                    story.take(&Moment { at: Usec(steady), case: story.case, what: What::Steady });
                }
                let line = format!(
                    r#"{{"_PID":"1","UNIT":"x.service","MESSAGE":"it is gone","__MONOTONIC_TIMESTAMP":"{at}"}}"#
                );
                tell(&mut story, What::Journal(Journal { entry: Entry::parse(&line).expect("an entry") }));
            }
            let logged = story.events().iter().filter(|event| matches!(event.kind, Kind::Logged { .. }));
            assert_eq!(logged.map(|event| event.at.0).collect::<Vec<_>>(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_journal_that_was_not_to_be_heard_makes_a_trial_unsound_whatever_was_seen() {
        let mut story = story();
        tell(&mut story, What::Settings(settings(OnHang::Trigger)));
        tell(&mut story, What::Began);
        tell(&mut story, What::Ended);
        let heard = story.verdict();
        tell(&mut story, What::Deaf(Because { reason: "no mark\u{7}".into() }));
        assert_eq!(story.verdict(), Verdict::Unsound { reasons: vec!["no mark\\u{7}".into()] });
        assert_ne!(story.verdict(), heard);
    }

    #[test]
    fn silence_is_what_a_verdict_rests_on_where_nothing_is_to_happen_or_has() {
        let expect = |text: &str| serde_json::from_str::<Expectation>(text).expect("an expectation");
        let restarted = r#"{"outcome":"restarted"}"#;
        let reported = r#"{"outcome":"restarted","hang_report":true}"#;
        let diagnosed = r#"{"outcome":"restarted","diagnosis":"x"}"#;
        let written = r#"{"outcome":"restarted","journal":["x"]}"#;
        let logged = Kind::Logged { text: "x".into(), line: "x".into() };
        let unwritten = r#"{"outcome":"restarted","journal_without":["x"]}"#;
        let counted = r#"{"outcome":"restarted","restarts":1}"#;
        let report = Kind::HangReport { id: None, reason: None, diagnosis: None, observers: None };
        for (expectation, kinds, rests) in [
            (r#"{"outcome":"undisturbed"}"#, vec![], true),
            (r#"{"outcome":"failed"}"#, vec![Kind::WatchdogTimeout], true),
            (restarted, vec![Kind::WatchdogTimeout, Kind::Deactivated], true),
            (restarted, vec![Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], false),
            (reported, vec![Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], true),
            (diagnosed, vec![Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], true),
            (diagnosed, vec![report.clone(), Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], false),
            (written, vec![Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], true),
            (written, vec![Kind::WatchdogTimeout, logged, Kind::Deactivated, Kind::Ready], false),
            (unwritten, vec![Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], true),
            (counted, vec![Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], true),
            (reported, vec![report, Kind::WatchdogTimeout, Kind::Deactivated, Kind::Ready], false),
        ] {
            let mut story = story();
            story.plan.expect = expect(expectation);
            let injected = Injected { fault: "mute".into(), until: None, deed: Deed::Hangs };
            tell(&mut story, What::Injected(injected));
            for (at, kind) in (2..).zip(kinds) {
                story.happened(Event { at: Usec(at), kind });
            }
            assert_eq!(story.rests_on_silence(Usec(9)), rests, "{expectation} {:?}", story.events());
        }
    }

    #[test]
    fn how_a_service_is_guarded_is_known_also_after_systemd_has_told_its_settings_again() {
        let mut story = story();
        let bare = Settings { guard: None, unit: "x\u{7}.service".into(), ..settings(OnHang::Trigger) };
        let guard =
            |story: &Story| story.settings.as_ref()?.guard.as_ref().map(|guard: &Guard| guard.on_hang);
        tell(&mut story, What::Settings(bare.clone()));
        assert_eq!(guard(&story), None);
        assert_eq!(story.settings.as_ref().map(|settings| settings.unit.as_str()), Some("x\\u{7}.service"));
        let told = r#"{"_COMM":"sd-watchdog","_SYSTEMD_UNIT":"x.service","HANGPROOF_EVENT":"settings","HANGPROOF_ON_HANG":"withhold",
            "HANGPROOF_INTERVAL_USEC":"1","HANGPROOF_TIMEOUT_USEC":"1","HANGPROOF_FAILURES":"3","HANGPROOF_RETRY_INTERVAL_USEC":"1"}"#;
        tell(&mut story, What::Journal(Journal { entry: Entry::parse(told).expect("an entry") }));
        assert_eq!(guard(&story), Some(OnHang::Withhold));
        tell(&mut story, What::Settings(bare));
        assert_eq!(guard(&story), Some(OnHang::Withhold));
    }

    #[test]
    fn what_is_healed_at_the_end_is_not_held_to_serve_again() {
        let told = |at_end| {
            let mut story = story();
            tell(&mut story, What::Healed(Healed { fault: "loss".into(), at_end }));
            story.events().len()
        };
        assert_eq!((told(false), told(true)), (1, 0));
    }

    #[test]
    fn a_fault_that_is_to_be_healed_is_waited_for_until_it_is() {
        let waits = |heal_after_usec, healed: bool| {
            let mut story = story();
            story.plan.heal_after_usec = heal_after_usec;
            tell(&mut story, What::Settings(settings(OnHang::Trigger)));
            tell(
                &mut story,
                What::Injected(Injected { fault: "mute".into(), until: None, deed: Deed::Hangs }),
            );
            if healed {
                tell(&mut story, What::Healed(Healed { fault: "mute".into(), at_end: false }));
            }
            story.waits(Usec(1), Usec(1))
        };
        let calm = Usec(1) + Duration::from_secs(10);
        assert_eq!(waits(None, false), Patience::Until(calm));
        assert_eq!(waits(Some(60_000_000), false), Patience::Until(Usec(60_000_001) + MARGIN));
        assert_eq!(waits(Some(60_000_000), true), Patience::Until(calm));
    }

    #[test]
    fn a_fault_took_hold_within_the_time_that_its_injection_took_if_it_took_any() {
        for (until, expected) in [(None, None), (Some(1), None), (Some(9), Some(8)), (Some(0), None)] {
            let mut story = story();
            let injected = Injected { fault: "mute".into(), until: until.map(Usec), deed: Deed::Hangs };
            tell(&mut story, What::Injected(injected));
            let Kind::Injected { within_usec, .. } = story.events()[0].kind else { panic!("injected") };
            assert_eq!(within_usec, expected, "{until:?}");
        }
    }

    #[test]
    fn what_pid_1_said_last_is_held_against_the_journal_and_read_where_that_is_silent() {
        let pid_one = PidOne { main_start: Some(Usec(4)), active_enter: Some(Usec(5)), ..PidOne::default() };
        for (log_level_max, read) in [(None, 0), (Some(6), 0), (Some(5), 2)] {
            let mut story = story();
            tell(&mut story, What::Settings(Settings { log_level_max, ..settings(OnHang::Trigger) }));
            tell(&mut story, What::Began);
            assert_eq!((story.pid_one(), story.contradictions()), (None, Vec::new()));
            tell(&mut story, What::PidOne(Box::new(pid_one.clone())));
            // The same again is no news.
            tell(&mut story, What::PidOne(Box::new(pid_one.clone())));
            tell(&mut story, What::Ended);
            assert_eq!(story.pid_one(), Some(&pid_one));
            assert_eq!(story.events().len(), read, "{log_level_max:?} {:?}", story.events());
            let contradictions = story.contradictions();
            assert_eq!(contradictions.len(), usize::from(read == 0), "{contradictions:?}");
            if read == 0 {
                assert_eq!(story.verdict(), Verdict::Unsound { reasons: contradictions });
            }
        }
    }

    #[test]
    fn restarts_that_pid_1_has_counted_before_the_trial_are_none_of_it() {
        let contradictions = |before: Option<u32>, after| {
            let mut story = story();
            let said = |restarts| What::PidOne(Box::new(PidOne { restarts, ..PidOne::default() }));
            tell(&mut story, What::Settings(settings(OnHang::Trigger)));
            tell(&mut story, What::Began);
            if let Some(restarts) = before {
                tell(&mut story, said(restarts));
            }
            let ask = Ask { asked: Usec(1), known: Usec(1), answer: Answer::Good };
            tell(&mut story, What::Asks(Asks(vec![ask])));
            tell(&mut story, said(after));
            story.contradictions()
        };
        assert_eq!((contradictions(Some(12), 12), contradictions(None, 0)), (Vec::new(), Vec::new()));
        assert_eq!(contradictions(Some(12), 13), ["PID 1 counts 13 restarts, and the journal 12"]);
        assert_eq!(contradictions(None, 12), ["PID 1 counts 12 restarts, and the journal 0"]);
    }

    #[test]
    fn the_next_fault_is_due_when_what_it_waits_for_has_come() {
        let mut story = story();
        let step = |fault: &str| Step {
            fault: fault.into(),
            after: After::Detected,
            heal_after_usec: None,
            expect: None,
        };
        story.plan.then = vec![step("kill"), step("freeze")];
        let next = |story: &Story| story.next_fault().map(|step| step.fault.clone());
        let injected =
            |fault: &str| What::Injected(Injected { fault: fault.into(), until: None, deed: Deed::Hangs });
        assert_eq!(next(&story), None, "the first one comes first");
        tell(&mut story, injected("mute"));
        assert_eq!(next(&story), Some("kill".into()));
        let is_due = |story: &Story| story.is_due(&step("kill"), Usec(9), Usec(9));
        assert!(!is_due(&story));
        story.happened(Event { at: Usec(2), kind: Kind::WatchdogTimeout });
        assert!(is_due(&story));
        tell(&mut story, injected("kill"));
        assert_eq!(next(&story), Some("freeze".into()));
        tell(&mut story, injected("freeze"));
        assert_eq!(next(&story), None);
    }

    #[test]
    fn what_clients_saw_is_kept_and_nothing_that_anybody_wrote_drives_a_terminal() {
        let bell = || Some("1\u{7}s".to_owned());
        let mut plan = story().plan;
        let expect = Expectation {
            recovery_within: bell(),
            outage_within: bell(),
            undisturbed_for: bell(),
            ready_within: bell(),
            ..plan.expect.clone()
        };
        let after = After::default();
        plan.then =
            vec![Step { fault: "a\u{7}".into(), after, heal_after_usec: None, expect: Some(expect.clone()) }];
        plan.expect = expect;
        let mut story = Story::new(CaseId::of("any", 1), plan);
        let own = story.plan.then[0].expect.clone().expect("its own");
        for Expectation { recovery_within, outage_within, undisturbed_for, ready_within, .. } in
            [&story.plan.expect, &own]
        {
            for span in [recovery_within, outage_within, undisturbed_for, ready_within] {
                assert_eq!(span.as_deref(), Some("1\\u{7}s"));
            }
        }
        assert_eq!(story.plan.then[0].fault, "a\\u{7}");
        let bad = Answer::Bad("no\u{7}".into());
        let asks = [Answer::Good, bad].map(|answer| Ask { asked: Usec(2), known: Usec(3), answer });
        tell(&mut story, What::Asks(Asks(asks.to_vec())));
        assert_eq!(story.witness().failed_of(), (1, 2));
        assert_eq!(story.witness().first_bad(Usec(0)), Some((Usec(2), "no\\u{7}")));
    }
}
