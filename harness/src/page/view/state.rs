//! How the service was, all along: a pure function of what systemd said and what clients saw.

use std::time::Duration;

use crate::model::ask::Witness;
use crate::model::clock::Usec;
use crate::model::event::{Event, Kind};
use crate::model::settings::{Restart, Settings};
use crate::page::telling::Word;

/// How long clients of a service that does not tell when it is ready may be refused before it counts as hung.
const WARM_UP: Duration = Duration::from_secs(5);

/// How systemd has a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// It has not said.
    #[default]
    Unknown,
    /// Active.
    Active,
    /// It ends the process, or waits for its end.
    Ending,
    /// The process is gone.
    Down,
    /// The process is gone, and ended well.
    Ended,
    /// It starts it.
    Starting,
    /// It tries no more.
    GivenUp,
}

impl Unit {
    /// What becomes of it by an event.
    #[must_use]
    pub fn after(self, kind: &Kind) -> Self {
        let is_down = matches!(self, Self::Down | Self::Ended | Self::GivenUp);
        match kind {
            // What is left of the processes it kills too.
            Kind::Killed { .. } if is_down => self,
            Kind::WatchdogTimeout | Kind::WatchdogTrigger { .. } | Kind::Stopping | Kind::Killed { .. } => {
                Self::Ending
            }
            Kind::Deactivated => Self::Ended,
            Kind::Failed { .. } if self == Self::GivenUp => self,
            Kind::Exited(_) | Kind::Failed { .. } | Kind::RestartScheduled { .. } | Kind::StartFailed => {
                Self::Down
            }
            Kind::Starting => Self::Starting,
            Kind::Ready => Self::Active,
            Kind::StartLimitHit => Self::GivenUp,
            Kind::Injected { .. }
            | Kind::Healed { .. }
            | Kind::LastGood
            | Kind::FirstGood
            | Kind::DeadlineWidened { .. }
            | Kind::HangReport { .. }
            | Kind::Logged { .. } => self,
        }
    }
}

/// What the state is read from.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// How systemd had the unit in the beginning.
    pub before: Unit,
    /// Whether clients were not served in the beginning, though systemd had it active: that lasts until they are.
    pub was_hung: bool,
    /// The beginning.
    pub began: Usec,
    /// What systemd said since then.
    pub events: &'a [Event],
    /// What clients saw.
    pub witness: &'a Witness,
    /// What the unit is set to, as far as systemd has told.
    pub settings: Option<&'a Settings>,
    /// Whether systemd has given the service up by now.
    pub is_given_up: bool,
}

/// How it was from when on, from the beginning until now.
pub fn track(known: &Known) -> Vec<(Usec, Word)> {
    let mut track = Track::default();
    let mut unit = known.before;
    let mut from = known.began;
    // Whether it has become active since the beginning: then clients are to be served, or will be soon.
    let mut is_new = false;
    for event in known.events.iter().filter(|event| event.at >= known.began) {
        let next = unit.after(&event.kind);
        if next != unit || event.kind == Kind::Ready {
            known.stretch(unit, is_new, from, Some(event.at), &mut track);
            (unit, from) = (next, event.at);
            is_new = event.kind == Kind::Ready;
        }
    }
    known.stretch(unit, is_new, from, None, &mut track);
    track.0
}

/// Neighbours that are the same are one.
#[derive(Default)]
struct Track(Vec<(Usec, Word)>);

impl Track {
    fn push(&mut self, at: Usec, word: Word) {
        match self.0.last() {
            Some((_, last)) if *last == word => {}
            // What lasted for no time was not.
            Some((last, _)) if *last == at => {
                self.0.pop();
                self.push(at, word);
            }
            _ => self.0.push((at, word)),
        }
    }
}

impl Known<'_> {
    /// The states of a stretch in which systemd has the unit in one way.
    fn stretch(&self, unit: Unit, is_new: bool, from: Usec, to: Option<Usec>, track: &mut Track) {
        let is_never_restarted = self.settings.is_some_and(|settings| settings.restart == Restart::No);
        let is_last = to.is_none();
        let is_final = is_never_restarted || (is_last && self.is_given_up);
        match unit {
            Unit::Unknown | Unit::Active => self.asked(unit, is_new, from, to, track),
            Unit::Ending => track.push(from, Word::Killed),
            Unit::Starting => track.push(from, Word::Starting),
            Unit::GivenUp => track.push(from, Word::Failed),
            Unit::Ended if is_final => track.push(from, Word::Stopped),
            Unit::Down if is_final => track.push(from, Word::Failed),
            Unit::Down | Unit::Ended => track.push(from, Word::Restarting),
        }
    }

    /// Where the unit is active, clients say how it is. One of their asks may get lost.
    fn asked(&self, unit: Unit, is_new: bool, from: Usec, to: Option<Usec>, track: &mut Track) {
        let notifies = self.settings.is_some_and(|settings| settings.kind.notifies());
        let (mut was_served, mut failed): (bool, Option<Usec>) = (false, None);
        let warms_up = is_new && !notifies;
        let is_carried = self.was_hung && from == self.began && !is_new;
        track.push(
            from,
            match unit {
                Unit::Unknown => Word::Unknown,
                _ if is_carried => Word::Hung,
                _ if warms_up => Word::Starting,
                _ => Word::Healthy,
            },
        );
        for ask in self.witness.asked_between(from, to) {
            if ask.is_good() {
                // Who had to wait longer than the others heard of it later.
                let since = track.0.last().map_or(ask.known, |(since, _)| ask.known.max(*since));
                if to.is_none_or(|to| since < to) {
                    track.push(if was_served || failed.is_some() { since } else { from }, Word::Healthy);
                }
                (was_served, failed) = (true, None);
                continue;
            }
            let Some(first) = failed else {
                failed = Some(ask.asked);
                continue;
            };
            let is_warming = !was_served && warms_up && ask.asked - from < WARM_UP;
            let is_unknown = !was_served && unit == Unit::Unknown;
            if !is_warming && !is_unknown {
                let since = track.0.last().map_or(first, |(since, _)| first.max(*since));
                track.push(since, Word::Hung);
            }
        }
    }
}

/// How it is, in a sentence.
pub fn says(word: Word, last: Option<&Kind>, is_guarded: bool) -> &'static str {
    match (word, last) {
        (Word::Healthy, _) => "Clients are served.",
        (Word::Hung, _) if is_guarded => {
            "Clients are not served. systemd takes the service for active; sd-watchdog is to find out."
        }
        (Word::Hung, _) => {
            "Clients are not served. systemd takes the service for active, and nobody tells it otherwise."
        }
        (Word::Killed, Some(Kind::Stopping)) => "systemd stops the service, as it was asked to.",
        (Word::Killed, Some(Kind::WatchdogTimeout)) => {
            "systemd missed the service's pings, and ends the process."
        }
        (Word::Killed, Some(Kind::WatchdogTrigger { .. })) => {
            "systemd was told of the hang, and ends the process."
        }
        (Word::Killed, _) => "systemd ends the process.",
        (Word::Restarting, _) => "The process is gone. systemd is about to start it again.",
        (Word::Starting, Some(Kind::Ready)) => "It was started, and serves nobody yet.",
        (Word::Starting, _) => "systemd starts the service.",
        (Word::Failed, _) => "The process is gone, and systemd does not start it again.",
        (Word::Stopped, _) => "The service has ended in order, and stays down.",
        (Word::Unknown, _) => "Nothing is known of the service yet.",
    }
}

#[cfg(test)]
mod tests;
