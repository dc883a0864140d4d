//! A case, as the page is told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::ask::Ask;
use crate::model::clock::Usec;
use crate::model::entry::Entry;
use crate::model::event::{Event, Kind};
use crate::model::moment::{self, Moment, What};
use crate::model::settings::Settings;
use crate::model::story::Story;
use crate::model::text::one_line;
use crate::page::telling::{self, Episode, Fault, Report, State, Telling, Word};

use super::Told;
use super::answers::Waiting;
use super::state::{Known, Unit, says, track};
use super::{hang_report, journal, recovery};

/// How far back clients' asks are known where nothing is tried, and how often older ones are forgotten.
const IDLE_MEMORY: Duration = Duration::from_secs(60);

/// How often it is looked whether systemd has given a service up that is down.
const LOOK: Duration = Duration::from_millis(250);

/// So many hang reports of a case are kept, to be told again with what belongs to them.
const REPORTS: usize = 4;

/// What a case leaves to the next one on its machine.
#[derive(Clone, Debug, Default)]
pub struct Left {
    unit: Unit,
    facts: Facts,
    /// How the service was, and since when.
    word: Option<(Word, Usec)>,
    /// The unit's files, as they were told.
    files: Vec<telling::File>,
}

/// What is known of the process, and of its guard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    pid: Option<u32>,
    started: Option<Usec>,
    restarts: Option<u32>,
    status: Option<String>,
}

/// A case that is not over.
pub struct Case {
    /// What it comes to.
    pub story: Story,
    before: Left,
    /// How systemd has the unit.
    unit: Unit,
    waiting: Waiting,
    /// How it was and since when, as it was told from then on.
    states: BTreeMap<Usec, (Word, Usec)>,
    facts: Facts,
    /// What of them was told.
    told_facts: Facts,
    settings: Option<telling::Settings>,
    episodes: Vec<(Episode, Option<Fault>)>,
    reports: Vec<Report>,
    forgot: Usec,
    looked: Usec,
}

impl Case {
    /// One that begins.
    pub fn new(story: Story, before: Left) -> Self {
        Self {
            story,
            unit: before.unit,
            facts: before.facts.clone(),
            told_facts: Facts::default(),
            before,
            waiting: Waiting::default(),
            states: BTreeMap::new(),
            settings: None,
            episodes: Vec::new(),
            reports: Vec::new(),
            forgot: Usec(0),
            looked: Usec(0),
        }
    }

    /// What it leaves to the next one.
    pub fn left(self) -> Left {
        let word = self.states.last_key_value().map(|(_, word)| *word).or(self.before.word);
        // Of what clients see nobody needs to tell whether it runs.
        let is_seen = matches!(word, Some((Word::Healthy | Word::Hung, _)));
        let unit = if self.unit == Unit::Unknown && is_seen { Unit::Active } else { self.unit };
        Left { unit, facts: self.facts, word, files: self.before.files }
    }

    /// Whether nothing is asked of the service meanwhile: it is only shown.
    fn is_idle(&self) -> bool {
        self.story.plan.scenario.is_empty() && self.story.plan.fault.is_none()
    }

    /// Takes in a moment of it.
    pub fn take(&mut self, moment: &Moment, told: &mut Told) {
        let is_line = matches!(moment.what, What::Journal(_));
        let is_ask = matches!(moment.what, What::Asks(_) | What::Clients(_));
        if self.waiting.is_due(moment.at) || !(is_line || is_ask) {
            self.tell_answers(told);
        }
        let silent = matches!(moment.what, What::PidOne(_)).then(|| self.story.events().to_vec());
        let event = self.story.take(moment).cloned();
        let mut is_news = event.is_some();
        match &moment.what {
            What::Asks(asks) => {
                for ask in &asks.0 {
                    self.waiting.push(ask);
                    is_news |= self.is_news(ask);
                }
                is_news |= self.is_to_be_looked_at(moment.at);
                self.forget(moment.at);
            }
            What::Clients(streak) => {
                self.waiting.push_streak(streak);
                is_news = true;
            }
            What::Journal(heard) => self.heard(moment.at, &heard.entry, event.as_ref(), told),
            What::Injected(_) | What::Healed(_) => {
                told.extend(event.as_ref().map(|event| self.event(event, None)));
            }
            What::PidOne(pid_one) => {
                let before = silent.unwrap_or_default();
                let news = self.story.events().iter().filter(|event| !before.contains(event));
                for event in news.cloned().collect::<Vec<_>>() {
                    is_news = true;
                    self.happened(&event);
                    told.push(self.event(&event, None));
                }
                self.facts.restarts = Some(pid_one.restarts);
                // What the guard has told systemd itself is more than what it logs: of good probes it logs none.
                self.facts.status = pid_one.status.clone().map(one_line).or(self.facts.status.take());
                if pid_one.main_exit.is_none() {
                    self.facts.started = pid_one.main_start.or(self.facts.started);
                }
            }
            What::Unit(unit) => self.tell_unit(moment.at, unit, told),
            What::Gauge(_) | What::Load(_) => {}
            _ => is_news = true,
        }
        self.tell_settings(moment.at, told);
        let was = self.states.len();
        if is_news && self.story.began.is_some() {
            self.tell_states(moment.at, told);
        }
        self.tell_facts(moment.at, told);
        let is_over = matches!(moment.what, What::Ended | What::Broke(_));
        if event.is_some() || self.states.len() != was || is_over || matches!(moment.what, What::Steady) {
            self.tell_episodes(moment.at, told);
        }
        if is_over {
            self.tell_what_clients_saw(told);
        }
    }

    /// Tells what waits, and what follows from nothing having happened.
    pub fn settle(&mut self, now: Usec, told: &mut Told) {
        self.tell_answers(told);
        if self.story.began.is_some() && self.is_to_be_looked_at(now) {
            let was = self.states.len();
            self.tell_states(now, told);
            if self.states.len() != was {
                self.tell_episodes(now, told);
            }
        }
    }

    fn tell_answers(&mut self, told: &mut Told) {
        told.extend(self.waiting.take().map(|(at, answers)| (at, Telling::Answers(answers))));
    }

    /// Whether an ask changes how the service is known to be.
    fn is_news(&self, ask: &Ask) -> bool {
        let then = self.states.range(..=ask.asked).next_back().map(|(_, (word, _))| *word);
        match then.unwrap_or(Word::Unknown) {
            Word::Healthy => !ask.is_good(),
            Word::Hung | Word::Unknown => ask.is_good(),
            Word::Starting => ask.is_good() || self.unit == Unit::Active,
            Word::Killed | Word::Restarting | Word::Failed | Word::Stopped => false,
        }
    }

    /// Whether systemd may have given it up meanwhile.
    fn is_to_be_looked_at(&mut self, now: Usec) -> bool {
        let is_down = self.word() == Word::Restarting;
        let is_due = is_down && now - self.looked >= LOOK;
        if is_due {
            self.looked = now;
        }
        is_due
    }

    /// Where nothing is tried, nobody asks what clients saw long ago.
    fn forget(&mut self, now: Usec) {
        let since = now.before(IDLE_MEMORY);
        let is_well = |(at, (word, _)): (&Usec, &(Word, Usec))| *word == Word::Healthy && *at <= since;
        let is_well = self.states.last_key_value().is_some_and(is_well);
        if !self.is_idle() || !is_well || now - self.forgot < IDLE_MEMORY {
            return;
        }
        self.forgot = now;
        self.story.take(&Moment { at: since, case: self.story.case, what: What::Watched });
        let last = self.states.range(..=since).next_back().map(|(at, _)| *at);
        if let Some(last) = last {
            self.states = self.states.split_off(&last);
        }
    }

    fn heard(&mut self, at: Usec, entry: &Entry, event: Option<&Event>, told: &mut Told) {
        let unit = self.story.plan.unit.clone();
        let known = entry.text("HANGPROOF_REPORT_ID");
        let known = self.reports.iter().position(|report| Some(&report.key) == known.as_ref());
        let known = known.map(|place| self.reports.remove(place));
        let report = hang_report::told(entry, &unit, self.story.case, known.as_ref());
        let is_part = report.is_some() && event.is_none();
        if let Some(report) = report.clone().or(known) {
            self.reports.push(report);
            if self.reports.len() > REPORTS {
                self.reports.remove(0);
            }
        }
        told.extend(report.map(|report| (at, Telling::Report(report))));
        match event {
            Some(event) => {
                self.happened(event);
                told.push(self.event(event, Some(journal::told(entry))));
            }
            None if is_part => {}
            None => {
                self.said(entry, &unit);
                told.push((entry.at().unwrap_or(at), Telling::Line(journal::line(entry))));
            }
        }
    }

    fn event(&self, event: &Event, journal: Option<telling::Entry>) -> (Usec, Telling) {
        let kind = &event.kind;
        let told = telling::Event {
            case: self.story.case,
            event: kind.clone(),
            label: journal::label(kind),
            source: journal::source_of(kind),
            journal,
        };
        (event.at, Telling::Event(Box::new(told)))
    }

    /// What an event says of the process.
    fn happened(&mut self, Event { at, kind }: &Event) {
        let was = self.unit;
        self.unit = was.after(kind);
        match kind {
            Kind::RestartScheduled { restarts } => self.facts.restarts = Some(*restarts),
            Kind::WatchdogTrigger { status: Some(status) } => self.facts.status = Some(status.clone()),
            Kind::Exited(_) | Kind::Deactivated | Kind::Failed { .. } => {
                (self.facts.pid, self.facts.started) = (None, None);
            }
            Kind::Starting => self.facts.started = Some(*at),
            Kind::Ready if was != Unit::Starting => self.facts.started = Some(*at),
            _ => {}
        }
    }

    /// What a line says of it beside.
    fn said(&mut self, entry: &Entry, unit: &str) {
        let is_of_report =
            entry.text("HANGPROOF_EVENT").is_some_and(|event| event.starts_with("hang_report"));
        if entry.has("_COMM", "sd-watchdog") && entry.concerns(unit) && !is_of_report {
            self.facts.status = entry.text("MESSAGE").map(one_line);
            self.facts.pid = entry.number("HANGPROOF_PID").or(self.facts.pid);
        } else if entry.has("_SYSTEMD_UNIT", unit) && !matches!(self.unit, Unit::Down | Unit::Ended) {
            self.facts.pid = self.facts.pid.or_else(|| entry.number("_PID"));
        }
    }

    /// How it is now.
    fn word(&self) -> Word {
        self.states.last_key_value().map_or(Word::Unknown, |(_, (word, _))| *word)
    }

    fn state(&self, at: Usec, word: Word, since: Usec) -> Telling {
        let Facts { pid, started, restarts, status } = self.facts.clone();
        let (case, says) = (Some(self.story.case), self.says(word, at));
        Telling::State(State { word, since, case, pid, started, restarts, status, says })
    }

    fn tell_settings(&mut self, at: Usec, told: &mut Told) {
        let Some(settings) = self.story.settings.as_ref() else { return };
        let settings = telling::Settings { case: Some(self.story.case), ..telling::Settings::from(settings) };
        if self.settings.as_ref() != Some(&settings) {
            self.settings = Some(settings.clone());
            told.push((at, Telling::Settings(settings)));
        }
    }

    /// Tells the unit's files, where they are not those that were told before.
    fn tell_unit(&mut self, at: Usec, moment::Unit { files }: &moment::Unit, told: &mut Told) {
        let files = files.iter().map(telling::File::from).collect::<Vec<_>>();
        if self.before.files == files {
            return;
        }
        self.before.files.clone_from(&files);
        let scenario = self.story.plan.scenario.clone();
        told.push((at, Telling::Unit(telling::Unit { case: self.story.case, scenario, files })));
    }

    /// Tells how the service was from when on, where that is not what was told before: what comes late is put right.
    fn tell_states(&mut self, now: Usec, told: &mut Told) {
        let began = self.story.began.unwrap_or(now);
        // In the order of their times, which need not be that in which they came.
        let events = self.story.events().iter().filter(|event| event.at >= began);
        self.unit = events.fold(self.before.unit, |unit, event| unit.after(&event.kind));
        let settings = self.story.settings.as_ref();
        let is_down = matches!(self.unit, Unit::Down | Unit::Ended);
        let is_given_up =
            is_down && settings.is_some_and(|settings| self.story.episode_so_far(now).gave_up(settings));
        let mut track = track(&Known {
            before: self.before.unit,
            was_hung: matches!(self.before.word, Some((Word::Hung, _))),
            began,
            events: self.story.events(),
            witness: self.story.witness(),
            settings,
            is_given_up,
        });
        if let (Some((before, since)), Some((from, word))) = (self.before.word, track.first_mut())
            && before == *word
        {
            *from = since.min(*from);
        }
        // What was forgotten is told already.
        let oldest = self.states.keys().next().copied().unwrap_or(Usec(0));
        let points = track.iter().map(|(at, _)| (*at).max(began)).chain(self.states.keys().copied());
        let mut points = points.filter(|at| *at >= oldest).collect::<Vec<_>>();
        points.sort_unstable();
        points.dedup();
        let mut last = None;
        for at in points {
            last = self.states.get(&at).copied().or(last);
            let wanted = track.iter().rev().find(|(since, _)| *since <= at);
            let Some((since, word)) = wanted.copied().filter(|wanted| last != Some((wanted.1, wanted.0)))
            else {
                continue;
            };
            last = Some((word, since));
            self.states.insert(at, (word, since));
            told.push((at, self.state(at, word, since)));
            if self.states.last_key_value().is_some_and(|(newest, _)| *newest == at) {
                self.told_facts = self.facts.clone();
            }
        }
    }

    fn says(&self, word: Word, at: Usec) -> String {
        let events = self.story.events();
        let is_telling = |kind: &Kind| {
            matches!(
                kind,
                Kind::Stopping
                    | Kind::WatchdogTimeout
                    | Kind::WatchdogTrigger { .. }
                    | Kind::Ready
                    | Kind::Starting
            )
        };
        let last = events.iter().rev().find(|event| event.at <= at && is_telling(&event.kind));
        let is_guarded =
            self.story.settings.as_ref().is_some_and(|settings: &Settings| settings.guard.is_some());
        says(word, last.map(|event| &event.kind), is_guarded).to_owned()
    }

    /// Tells what else has become known, beside the word.
    fn tell_facts(&mut self, at: Usec, told: &mut Told) {
        let Some((last, (word, since))) = self.states.last_key_value() else { return };
        if self.told_facts == self.facts {
            return;
        }
        let (at, word, since) = (at.max(*last), *word, *since);
        self.told_facts = self.facts.clone();
        self.states.insert(at, (word, since));
        told.push((at, self.state(at, word, since)));
    }

    fn tell_episodes(&mut self, now: Usec, told: &mut Told) {
        let is_injected = self.story.events().iter().any(|event| matches!(event.kind, Kind::Injected { .. }));
        let is_over = self.story.ended.is_some() || self.story.broke.is_some();
        let is_begun = is_injected || is_over || self.story.plan.fault.is_none();
        // What broke before it began is to be seen, too.
        let is_there = self.story.began.is_some() || self.story.broke.is_some();
        if self.is_idle() || !is_begun || !is_there {
            return;
        }
        let word = self.word();
        for (place, (episode, fault)) in recovery::told(&self.story, now, word).into_iter().enumerate() {
            let known = self.episodes.get(place);
            let (is_episode_new, is_fault_new) =
                known.map_or((true, fault.is_some()), |(known, its)| (*known != episode, *its != fault));
            if is_fault_new {
                told.extend(fault.clone().map(|fault| (now, Telling::Fault(fault))));
            }
            if is_episode_new {
                told.push((now, Telling::Episode(Box::new(episode.clone()))));
            }
            if place < self.episodes.len() {
                self.episodes[place] = (episode, fault);
            } else {
                self.episodes.push((episode, fault));
            }
        }
    }

    /// The edges of the outage, once nothing can change them any more.
    fn tell_what_clients_saw(&self, told: &mut Told) {
        let Some(end) = self.story.ended.filter(|_| !self.is_idle()) else { return };
        for episode in self.story.episodes(end) {
            let seen = episode.timeline.events.iter();
            let seen = seen.filter(|event| matches!(event.kind, Kind::LastGood | Kind::FirstGood));
            told.extend(seen.map(|event| self.event(event, None)));
        }
    }
}
