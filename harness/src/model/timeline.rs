//! A trial's events in order, relative to the injection, and the phases they delimit. Pure.

use std::time::Duration;

use crate::model::ask::Witness;
use crate::model::bound::{ALLOWANCE, Bounds, quiet};
use crate::model::clock::Usec;
use crate::model::event::{Event, Kind};
use crate::model::expect::By;
use crate::model::phase::{Phases, Span};
use crate::model::settings::{Restart, Settings};

/// What happened in a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    /// The injection, or the beginning of the trial where nothing was injected.
    pub origin: Usec,
    /// When the trial was over.
    pub end: Usec,
    /// In the order of their times. Before the origin there is at most the last good answer.
    pub events: Vec<Event>,
    /// The phases that happened.
    pub phases: Phases,
}

impl Timeline {
    /// Orders the events of a trial that lasted from `begin` to `end`, and finds the phases.
    ///
    /// `events` are the injection and what the journal says; what clients saw is added from `witness`.
    pub fn new(begin: Usec, end: Usec, events: Vec<Event>, witness: &Witness) -> Self {
        let Self { origin, mut events, mut phases, .. } = Self::of_events(begin, end, events);
        // A request that was under way when the fault took hold was asked just before.
        let bad = witness.first_bad(origin.before(ALLOWANCE)).map(|(asked, _)| asked);
        let last_good = bad.and_then(|bad| witness.last_good(bad));
        let restarted = phases.restart.map_or(origin, |span| span.from);
        let first_good = bad.and_then(|bad| witness.first_good(bad.max(restarted)));
        for (at, kind) in [(last_good, Kind::LastGood), (first_good, Kind::FirstGood)] {
            events.extend(at.map(|at| Event { at, kind }));
        }
        events.sort_by_key(|event| event.at);
        phases.outage = last_good.zip(first_good).map(|(from, to)| Span { from, to });
        Self { origin, end, events, phases }
    }

    /// The same without what clients saw.
    pub fn of_events(begin: Usec, end: Usec, mut events: Vec<Event>) -> Self {
        let injected = events.iter().find(|event| matches!(event.kind, Kind::Injected { .. }));
        let origin = injected.map_or(begin, |event| event.at);
        events.retain(|event| event.at >= origin);
        events.sort_by_key(|event| event.at);
        let phases = recovery_phases(origin, &events);
        Self { origin, end, events, phases }
    }

    /// The first event at or after `since` that `wanted` accepts.
    pub fn first(&self, since: Usec, wanted: impl Fn(&Kind) -> bool) -> Option<&Event> {
        first(&self.events, since, wanted)
    }

    /// What the unit allows, and what its guard granted.
    pub fn bounds(&self, settings: &Settings) -> Bounds {
        let bounds = Bounds::of(settings);
        match self.widened() {
            Some(percent) => bounds.widened(settings, percent),
            None => bounds,
        }
    }

    /// Whether deadlines were widened, and for how many percent of the time the service was kept from running at most.
    pub fn widened(&self) -> Option<Option<u8>> {
        let percents = self.events.iter().filter_map(|event| match event.kind {
            Kind::DeadlineWidened { percent } => Some(percent),
            _ => None,
        });
        percents.max()
    }

    /// When the fault was in effect for certain.
    pub fn took_effect(&self) -> Usec {
        let within = self.events.iter().find_map(|event| match event.kind {
            Kind::Injected { within_usec, .. } => within_usec,
            _ => None,
        });
        self.origin + Duration::from_micros(within.unwrap_or_default())
    }

    /// What ended the main process.
    pub fn cause(&self) -> Option<By> {
        let detect = self.phases.detect?;
        let by_watchdog = self.first(detect.to, is_watchdog).is_some_and(|event| event.at == detect.to);
        Some(if by_watchdog { By::Watchdog } else { By::Exit })
    }

    /// The last event that `wanted` accepts.
    pub fn last_of(&self, wanted: impl Fn(&Kind) -> bool) -> Option<&Event> {
        self.events.iter().rev().find(|event| wanted(&event.kind))
    }

    /// Whether systemd has given the service up: it says so, its unit does, or it has been quiet about it for so long
    /// that no restart can be under way.
    pub fn gave_up(&self, settings: &Settings) -> bool {
        if self.has(|kind| *kind == Kind::StartLimitHit) {
            return true;
        }
        let Some(last) = self.last_of(Kind::is_disturbance) else { return false };
        let down = matches!(
            last.kind,
            Kind::Exited(_) | Kind::Deactivated | Kind::Failed { .. } | Kind::StartFailed
        );
        let failed = matches!(last.kind, Kind::Failed { .. } | Kind::Deactivated);
        down && (self.end - last.at >= quiet(settings) || (failed && settings.restart == Restart::No))
    }

    /// Whether such an event happened after the origin.
    pub fn has(&self, wanted: impl Fn(&Kind) -> bool) -> bool {
        self.first(self.origin, wanted).is_some()
    }
}

/// systemd's own word that the watchdog found a hang.
pub fn is_watchdog(kind: &Kind) -> bool {
    matches!(kind, Kind::WatchdogTimeout | Kind::WatchdogTrigger { .. })
}

fn first(events: &[Event], since: Usec, wanted: impl Fn(&Kind) -> bool) -> Option<&Event> {
    events.iter().find(|event| event.at >= since && wanted(&event.kind))
}

fn recovery_phases(origin: Usec, events: &[Event]) -> Phases {
    let after = |since: Option<Usec>, wanted: fn(&Kind) -> bool| {
        first(events, since?, wanted).map(|event| (event.at, is_watchdog(&event.kind)))
    };
    let span = |from: Option<Usec>, to: Option<Usec>| from.zip(to).map(|(from, to)| Span { from, to });
    if !events.iter().any(|event| matches!(event.kind, Kind::Injected { .. })) {
        return Phases::default();
    }
    let detected = after(Some(origin), |kind| is_watchdog(kind) || is_end(kind));
    let (detect, by_watchdog) = detected.unzip();
    let ended = after(detect, is_end).or_else(|| after(detect, |kind| matches!(kind, Kind::Failed { .. })));
    let ended = ended.map(|(at, _)| at);
    // systemd logs no "starting" for Type=simple, which is started as soon as it is forked.
    let starting = after(ended, |kind| matches!(kind, Kind::Starting | Kind::Ready)).map(|(at, _)| at);
    let ready = after(starting, |kind| matches!(kind, Kind::Ready)).map(|(at, _)| at);
    Phases {
        detect: span(Some(origin), detect),
        kill: span(detect, ended).filter(|_| by_watchdog == Some(true)),
        restart: span(ended, starting),
        start: span(starting, ready).filter(|span| span.from < span.to),
        recovery: span(Some(origin), ready),
        outage: None,
    }
}

/// The main process is gone.
fn is_end(kind: &Kind) -> bool {
    matches!(kind, Kind::Exited(_) | Kind::Deactivated)
}
