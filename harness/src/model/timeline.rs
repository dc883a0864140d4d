//! A trial's events in order, relative to the injection, and the phases they delimit. Pure.

use std::time::Duration;

use crate::model::ask::Witness;
use crate::model::bound::{ALLOWANCE, Bounds, WORK, longest_stop, quiet, stop_post};
use crate::model::clock::Usec;
use crate::model::event::{Event, Kind};
use crate::model::expect::{By, Deed};
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

/// Processes that a main process leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOver {
    /// systemd waited for them when it was known to have ended.
    AfterTheMainProcess,
    /// There may have been some: that it had ended was known only when all had.
    WithTheMainProcess,
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
        for event in events.iter_mut().filter(|event| event.kind.counts_connections()) {
            if let (Kind::HangReport { observers, .. }, Some(bad)) = (&mut event.kind, bad) {
                *observers = Some(witness.in_vain(bad, event.at)).filter(|asks| *asks > 0);
            }
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
        let bounds = match self.left_over(settings) {
            Some(LeftOver::AfterTheMainProcess) => bounds.with_left_over(settings),
            Some(LeftOver::WithTheMainProcess) => bounds.with_end_untold(settings),
            None => bounds,
        };
        if self.deed() == Deed::Silences {
            return bounds.silenced(settings);
        }
        match self.widened() {
            Some(percent) => bounds.widened(settings, percent),
            None => bounds,
        }
    }

    /// Whether there were processes that the main one had left behind, and that systemd waited for: it killed some, or did not let go of the
    /// unit for longer than its end and ExecStopPost= take.
    pub fn left_over(&self, settings: &Settings) -> Option<LeftOver> {
        let end = self.main_process_ended()?;
        let is_unit = |kind: &Kind| matches!(kind, Kind::Failed { .. } | Kind::Deactivated);
        let unit = self.first(end, is_unit).map_or(self.end, |event| event.at);
        // systemd has no word for an exit with code 0 but that of the unit's end.
        let is_untold =
            !self.events.iter().any(|event| event.at == end && matches!(event.kind, Kind::Exited(_)));
        if is_untold {
            return (self.cause() == Some(By::Watchdog)).then_some(LeftOver::WithTheMainProcess);
        }
        let is_late = stop_post(settings).is_some_and(|most| unit - end > most + WORK);
        let killed = self
            .events
            .iter()
            .any(|event| matches!(event.kind, Kind::Killed { .. }) && event.at >= end && event.at <= unit);
        (killed || is_late).then_some(LeftOver::AfterTheMainProcess)
    }

    /// Whether deadlines were widened, and for how many percent of the time the service was kept from running at most.
    pub fn widened(&self) -> Option<Option<u8>> {
        let percents = self.events.iter().filter_map(|event| match event.kind {
            Kind::DeadlineWidened { percent } => Some(percent),
            _ => None,
        });
        percents.max()
    }

    /// What became of the service; nothing where no fault was injected.
    pub fn deed(&self) -> Deed {
        let deed = self.events.iter().find_map(|event| match event.kind {
            Kind::Injected { deed, .. } => Some(deed),
            _ => None,
        });
        deed.unwrap_or(Deed::Nothing)
    }

    /// What `sd-watchdog` saw of the hung service.
    pub fn hang_report(&self) -> Option<&Event> {
        self.first(self.origin, |kind| matches!(kind, Kind::HangReport { .. }))
    }

    /// The first line of the journal that has this text.
    pub fn logged(&self, text: &str) -> Option<&Event> {
        self.first(self.origin, |kind| matches!(kind, Kind::Logged { text: found, .. } if found == text))
    }

    /// When the fault was in effect for certain.
    pub fn took_effect(&self) -> Usec {
        let within = self.events.iter().find_map(|event| match event.kind {
            Kind::Injected { within_usec, .. } => within_usec,
            _ => None,
        });
        self.origin + Duration::from_micros(within.unwrap_or_default())
    }

    /// When the main process ended, if it did.
    pub fn main_process_ended(&self) -> Option<Usec> {
        match self.cause()? {
            By::Watchdog => self.phases.kill.map(|kill| kill.to),
            By::Exit => self.phases.detect.map(|detect| detect.to),
        }
    }

    /// When the last fault was healed, if one was.
    pub fn healed(&self) -> Option<Usec> {
        self.last_of(|kind| matches!(kind, Kind::Healed { .. })).map(|event| event.at)
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
        let quiet = match last.kind {
            Kind::Failed { .. } | Kind::Deactivated if settings.restart == Restart::No => Duration::ZERO,
            Kind::Failed { .. } | Kind::Deactivated | Kind::StartFailed => quiet(settings),
            // There the unit has not ended yet: systemd ends what is left of it first.
            Kind::Exited(_) => match longest_stop(settings) {
                Some(stop) => stop + quiet(settings),
                None => return false,
            },
            _ => return false,
        };
        self.end - last.at >= quiet
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
    // Of an exit with code 0 systemd says nothing but that the unit has failed, where its watchdog was the reason.
    let ended = after(detect, |kind| is_end(kind) || matches!(kind, Kind::Failed { .. }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ask::{Answer, Ask};
    use crate::model::bound::tests::settings;
    use crate::model::event::Exit;
    use crate::model::settings::OnHang;

    const ORIGIN: Usec = Usec(10_000_000);

    fn timeline(kinds: &[(u64, Kind)]) -> Timeline {
        let injected = Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs };
        let all = [(0, injected)].into_iter().chain(kinds.iter().cloned());
        let events = all.map(|(ms, kind)| Event { at: ORIGIN + Duration::from_millis(ms), kind });
        Timeline::of_events(ORIGIN, ORIGIN + Duration::from_secs(20), events.collect())
    }

    #[test]
    fn where_a_diagnosis_counts_connections_it_is_told_how_often_the_observer_had_asked() {
        let at = |ms: u64| ORIGIN + Duration::from_millis(ms);
        let ask = |ms, answer| Ask { asked: at(ms), known: at(ms + 5), answer };
        let mut witness = Witness::default();
        witness.add(ask(0, Answer::Good));
        (1..300).for_each(|tick| witness.add(ask(tick * 10, Answer::Bad("no answer".into()))));
        // Under way when the report was made, and answered by who came after.
        witness.add(Ask { asked: at(1995), known: at(3000), answer: Answer::Good });
        witness.add(ask(3100, Answer::Good));
        let told = |diagnosis: &str, witness: &Witness| {
            let (id, reason, observers) = (None, Some("no answer".into()), None);
            let report = Kind::HangReport { id, reason, diagnosis: Some(diagnosis.into()), observers };
            let events = timeline(&[(2000, report)]).events;
            let timeline = Timeline::new(ORIGIN, at(20_000), events, witness);
            timeline.hang_report().expect("there is one").kind.to_string()
        };
        for diagnosis in [
            "asleep; the accept queue of [::]:80 is full (129 of 128): it does not accept",
            "3 connections wait to be accepted at [::]:80",
            "a (7) is out of descriptors (1024 of 1024, LimitNOFILE=)",
        ] {
            let counted =
                format!("hang report: {diagnosis}; the observer itself had asked 200 times by then in vain");
            assert_eq!(told(diagnosis, &witness), counted);
            assert_eq!(
                told(diagnosis, &Witness::default()),
                format!("hang report: {diagnosis}"),
                "nobody asked"
            );
        }
        assert_eq!(told("all 8 threads wait in futex", &witness), "hang report: all 8 threads wait in futex");
    }

    fn exited() -> Kind {
        Kind::Exited(Exit::Signal("SIGABRT".into()))
    }

    fn failed() -> Kind {
        Kind::Failed { result: "watchdog".into() }
    }

    fn killed() -> Kind {
        Kind::Killed { pid: Some(7), signal: Some("SIGKILL".into()) }
    }

    #[test]
    fn what_a_main_process_leaves_behind_is_seen_by_how_long_systemd_is_busy_with_it() {
        let plain = || settings(OnHang::Trigger);
        let (after, with) = (Some(LeftOver::AfterTheMainProcess), Some(LeftOver::WithTheMainProcess));
        let hung = (100, Kind::WatchdogTimeout);
        for (events, settings, expected) in [
            (vec![hung.clone(), (110, killed()), (120, exited()), (130, failed())], plain(), None),
            // By SIGTERM, which systemd does not tell.
            (vec![hung.clone(), (120, exited()), (3120, failed())], plain(), after),
            // That one may be a command's.
            (
                vec![hung.clone(), (120, exited()), (3120, failed())],
                Settings { has_stop_post: true, ..plain() },
                None,
            ),
            (
                vec![hung.clone(), (120, exited()), (130, killed()), (140, failed())],
                Settings { has_stop_post: true, ..plain() },
                after,
            ),
            (vec![(100, exited()), (130, killed()), (140, failed())], plain(), after),
            (vec![hung.clone(), (120, exited()), (130, failed()), (150, killed())], plain(), None),
            (vec![hung.clone(), (3120, failed())], plain(), with),
            (vec![(100, Kind::Deactivated)], plain(), None),
            (vec![hung], plain(), None),
        ] {
            assert_eq!(timeline(&events).left_over(&settings), expected, "{events:?}");
        }
    }

    #[test]
    fn bounds_are_of_what_was_left_over() {
        let settings = settings(OnHang::Trigger);
        let at_most = |events: &[(u64, Kind)]| {
            let bounds = timeline(events).bounds(&settings);
            [bounds.kill, bounds.restart].map(|bound| bound.map(|bound| bound.at_most.as_secs()))
        };
        let hung = (100, Kind::WatchdogTimeout);
        assert_eq!(at_most(&[hung.clone(), (120, exited()), (130, failed())]), [Some(2), Some(0)]);
        assert_eq!(at_most(&[hung.clone(), (120, exited()), (5120, failed())]), [Some(2), Some(10)]);
        assert_eq!(at_most(&[hung, (5120, failed())]), [Some(12), Some(0)]);
    }

    #[test]
    fn a_main_process_whose_end_is_not_told_has_ended_with_its_unit_and_not_with_the_next_one() {
        let next = [(200, Kind::Starting), (300, Kind::Exited(Exit::Code(1)))];
        let told = timeline(&[&[(100, Kind::WatchdogTimeout), (130, failed())], &next[..]].concat());
        assert_eq!(told.main_process_ended(), Some(ORIGIN + Duration::from_millis(130)));
    }

    #[test]
    fn a_unit_that_systemd_still_ends_the_rest_of_is_not_given_up() {
        let ended = vec![(100, exited())];
        let at = |seconds: u64, settings: &Settings| {
            let timeline = Timeline { end: ORIGIN + Duration::from_secs(seconds), ..timeline(&ended) };
            timeline.gave_up(settings)
        };
        let plain = settings(OnHang::Trigger);
        assert_eq!([2, 11, 12].map(|seconds| at(seconds, &plain)), [false, false, true]);
        let process =
            Settings { kill_mode: Some(crate::model::settings::KillMode::Process), ..plain.clone() };
        assert_eq!([1, 2].map(|seconds| at(seconds, &process)), [false, true]);
        let never = Settings { timeout_stop_usec: None, ..plain };
        assert!(!at(10_000, &never));
    }
}
