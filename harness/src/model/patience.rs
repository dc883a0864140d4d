//! How long a trial is waited for: until it is settled, or until a phase is overdue for certain. Pure.

use std::time::Duration;

use crate::model::ask::Witness;
use crate::model::bound::{ALLOWANCE, Bound, MARGIN, TIMER_SLACK, longest_stop, quiet};
use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::expect::{Expectation, Outcome};
use crate::model::phase::Phase;
use crate::model::settings::Settings;
use crate::model::timeline::Timeline;

/// How long a hang is waited for where nothing bounds its detection.
const UNBOUNDED_DETECT: Duration = Duration::from_secs(5);
/// How long a phase is waited for that the unit does not bound; systemd's DefaultTimeoutStartSec.
const UNBOUNDED_PHASE: Duration = Duration::from_secs(90);
/// How long after its start a service may take to answer where nothing is said of it.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// How long after READY the first good answer is waited for, where READY means that there is one.
const SERVED_AGAIN: Duration = Duration::from_secs(2);

/// Whether to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Nothing more can happen that matters.
    Settled,
    /// Something is still to come, by this moment.
    Until(Usec),
}

/// How long to wait for the rest of a trial after its injection. Clients' asks are known up to `known_until`.
pub fn after_injection(
    timeline: &Timeline,
    witness: &Witness,
    expect: &Expectation,
    settings: &Settings,
    known_until: Usec,
) -> Patience {
    let bounds = timeline.bounds(settings);
    let phases = &timeline.phases;
    if expect.outcome == Outcome::Undisturbed {
        let over = timeline.has(Kind::is_disturbance);
        return if over {
            Patience::Settled
        } else {
            let since = timeline.healed().unwrap_or(timeline.origin);
            Patience::Until(since + expect.calm(settings))
        };
    }
    if expect.outcome == Outcome::Stopped {
        let ended = timeline.last_of(|kind| matches!(kind, Kind::Deactivated | Kind::Failed { .. }));
        // SIGTERM has its time, and then SIGKILL has.
        let stop = settings.span("TimeoutStopSec").unwrap_or(UNBOUNDED_PHASE) * 2;
        let stop = stop.max(longest_stop(settings).unwrap_or_default());
        // Who would be started again is so by then.
        let over = ended.map_or(timeline.origin + stop + MARGIN, |ended| ended.at + quiet(settings));
        let is_over = timeline.end >= over || phases.recovery.is_some();
        return if is_over { Patience::Settled } else { Patience::Until(over) };
    }
    if timeline.gave_up(settings) {
        // By systemd, with Restart=no at once; a guard beside the unit may start it again a little later.
        let last = timeline.last_of(Kind::is_disturbance).map_or(timeline.origin, |event| event.at);
        let settled = last + quiet(settings);
        let is_awaited = expect.outcome == Outcome::Restarted && timeline.end < settled;
        return if is_awaited { Patience::Until(settled) } else { Patience::Settled };
    }
    if let Some(recovery) = phases.recovery {
        let served = witness.first_good(recovery.to).is_some() && known_until > recovery.to;
        // How much later than a limit an answer may be asked and known, and yet is measured.
        let late_answer = ALLOWANCE + witness.interval();
        let until = recovery.to + SERVED_AGAIN.max(witness.interval() * 2 + ALLOWANCE);
        // Where it does not, as long as is expected; where nothing is, as long as after the first start.
        let (ready, limit) = (expect.ready(settings), expect.limit(settings));
        let expected = [
            ready.map(|ready| recovery.to + ready + late_answer),
            limit.map(|limit| timeline.origin + limit + late_answer),
            ready.or(limit).is_none().then(|| recovery.to + FIRST_ANSWER + late_answer),
        ];
        let expected = expected.into_iter().flatten().filter(|_| !settings.kind.notifies());
        return if served { Patience::Settled } else { Patience::Until(expected.fold(until, Usec::max)) };
    }
    let bounded = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.at_most);
    // Whoever says that a phase took longer than is expected of it has waited so long.
    let expected = |phase: Phase| expect.phase_limit(phase, settings).unwrap_or_default();
    match phases.detect {
        None => {
            let detect =
                bounded(&bounds.detect).or_else(|| expect.limit(settings)).unwrap_or(UNBOUNDED_DETECT);
            // Whoever says that systemd's timer did not expire, or that it took longer than expected, has waited so long.
            let timer = settings.span("WatchdogSec").map(|watchdog| watchdog + TIMER_SLACK);
            let detect =
                detect.max(timer.unwrap_or_default()).max(expect.limit(settings).unwrap_or_default());
            let detect = detect.max(expected(Phase::Detect));
            Patience::Until(timeline.origin + detect + MARGIN)
        }
        Some(detect) => {
            let rest = [Phase::Kill, Phase::Restart, Phase::Start].map(|phase| {
                let bound = bounds.get(phase).map_or(UNBOUNDED_PHASE, |bound| bound.at_most);
                bound.max(expected(phase))
            });
            let rest: Duration = rest.into_iter().sum();
            // Whether anything is left over is known when it is not any more.
            let is_unit = |kind: &Kind| matches!(kind, Kind::Failed { .. } | Kind::Deactivated);
            let stop = if timeline.first(detect.to, is_unit).is_some() {
                Duration::ZERO
            } else {
                longest_stop(settings).unwrap_or(UNBOUNDED_PHASE)
            };
            Patience::Until(detect.to + rest.max(quiet(settings) * 2) + stop + MARGIN)
        }
    }
}

/// How long after its start the first good answer of a service is waited for, where one ask and the wait for it may take `longest`.
pub fn first_answer(expect: &Expectation, settings: Option<&Settings>, longest: Duration) -> Duration {
    let ready = settings.and_then(|settings| expect.ready(settings));
    ready.unwrap_or_else(|| FIRST_ANSWER.max(longest))
}

/// How long a start may take.
pub fn start(settings: &Settings) -> Duration {
    settings.span("TimeoutStartSec").unwrap_or(UNBOUNDED_PHASE) + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ask::{Answer, Ask};
    use crate::model::bound::tests::settings;
    use crate::model::event::{Event, Exit};
    use crate::model::expect::Deed;
    use crate::model::settings::{OnHang, Restart, Type};

    const ORIGIN: Usec = Usec(10_000_000);

    fn secs(seconds: f64) -> Usec {
        ORIGIN + Duration::from_secs_f64(seconds)
    }

    /// How long to wait for a restart within `within`, where the service `ended` or did not, as seen at `now`.
    fn wait(ended: Option<Usec>, now: Usec, restart: Restart, within: &str) -> Patience {
        let mut events = vec![Event {
            at: ORIGIN,
            kind: Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs },
        }];
        for kind in [Kind::Exited(Exit::Signal("SIGABRT".into())), Kind::Failed { result: "signal".into() }] {
            events.extend(ended.map(|at| Event { at, kind }));
        }
        let settings = Settings { restart, ..settings(OnHang::Trigger) };
        let expect = Expectation {
            outcome: Outcome::Restarted,
            recovery_within: Some(within.into()),
            ..Expectation::default()
        };
        let witness = Witness::default();
        let timeline = Timeline::new(ORIGIN, now, events, &witness);
        after_injection(&timeline, &witness, &expect, &settings, now)
    }

    #[test]
    fn a_stop_is_waited_for_as_long_as_systemd_gives_it_and_then_for_a_start() {
        let settings = settings(OnHang::Trigger);
        let expect: Expectation = serde_json::from_str(r#"{"outcome":"stopped"}"#).expect("an expectation");
        let injected = Kind::Injected { fault: "stop".into(), within_usec: None, deed: Deed::Stops };
        let stop = settings.span("TimeoutStopSec").expect("it has one");
        for (ended, now, expected) in [
            (None, 1.0, Patience::Until(ORIGIN + stop * 2 + MARGIN)),
            (Some(2.0), 2.0, Patience::Until(secs(2.0) + quiet(&settings))),
            (Some(2.0), 20.0, Patience::Settled),
        ] {
            let mut events = vec![Event { at: ORIGIN, kind: injected.clone() }];
            events.extend(ended.map(|ended| Event { at: secs(ended), kind: Kind::Deactivated }));
            let timeline = Timeline::of_events(ORIGIN, secs(now), events);
            let witness = Witness::default();
            assert_eq!(after_injection(&timeline, &witness, &expect, &settings, secs(now)), expected);
        }
    }

    #[test]
    fn a_hang_is_waited_for_as_long_as_is_expected() {
        assert_eq!(
            wait(None, secs(1.0), Restart::Always, "5s"),
            Patience::Until(secs(6.25)),
            "W, its slack, and a second"
        );
        assert_eq!(wait(None, secs(1.0), Restart::Always, "30s"), Patience::Until(secs(31.0)));
    }

    #[test]
    fn a_service_that_does_not_say_when_it_is_ready_is_waited_for_as_long_as_is_expected() {
        let mut events = vec![Event {
            at: ORIGIN,
            kind: Kind::Injected { fault: "crash".into(), within_usec: None, deed: Deed::Hangs },
        }];
        for (at, kind) in [(0.1, Kind::Exited(Exit::Code(1))), (1.0, Kind::Ready)] {
            events.push(Event { at: secs(at), kind });
        }
        let witness = Witness::default();
        let timeline = Timeline::new(ORIGIN, secs(1.0), events, &witness);
        for (kind, recovery_within, ready_within, until) in [
            (Type::Simple, None, None, 6.11),
            (Type::Notify, None, None, 3.0),
            (Type::Simple, Some("20s"), None, 20.11),
            (Type::Simple, Some("2s"), None, 3.0),
            (Type::Simple, Some("20s"), Some("30s"), 31.11),
            (Type::Simple, None, Some("WatchdogSec"), 6.11),
            (Type::Notify, Some("20s"), Some("30s"), 3.0),
        ] {
            let settings = Settings { kind, ..settings(OnHang::Trigger) };
            let expect = Expectation {
                outcome: Outcome::Restarted,
                recovery_within: recovery_within.map(Into::into),
                ready_within: ready_within.map(Into::into),
                ..Expectation::default()
            };
            let waits = after_injection(&timeline, &witness, &expect, &settings, secs(1.0));
            assert_eq!(waits, Patience::Until(secs(until)), "{recovery_within:?} {ready_within:?}");
            let first = first_answer(&expect, Some(&settings), Duration::from_secs(1));
            assert_eq!(first, expect.ready(&settings).unwrap_or(FIRST_ANSWER));
        }
    }

    #[test]
    fn who_asks_seldom_is_waited_for_until_he_has_asked() {
        let mut events = vec![Event {
            at: ORIGIN,
            kind: Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs },
        }];
        for (at, kind) in [(0.1, Kind::Exited(Exit::Code(1))), (1.0, Kind::Ready)] {
            events.push(Event { at: secs(at), kind });
        }
        for (interval, until) in [(Duration::from_millis(10), 3.0), (Duration::from_secs(5), 11.1)] {
            let witness = Witness::every(interval);
            let timeline = Timeline::new(ORIGIN, secs(1.0), events.clone(), &witness);
            let expect = serde_json::from_str(r#"{"outcome":"restarted"}"#).expect("an expectation");
            let settings = settings(OnHang::Trigger);
            let waits = after_injection(&timeline, &witness, &expect, &settings, secs(1.0));
            assert_eq!(waits, Patience::Until(secs(until)), "every {interval:?}");
        }
    }

    #[test]
    fn what_is_left_over_is_waited_for_as_long_as_systemd_gives_it() {
        let wait = |kinds: &[Kind]| {
            let mut events = vec![Event {
                at: ORIGIN,
                kind: Kind::Injected { fault: "crash".into(), within_usec: None, deed: Deed::Ends },
            }];
            events.extend(kinds.iter().map(|kind| Event { at: secs(1.0), kind: kind.clone() }));
            let expect = serde_json::from_str(r#"{"outcome":"restarted"}"#).expect("an expectation");
            let timeline = Timeline::of_events(ORIGIN, secs(1.0), events);
            after_injection(&timeline, &Witness::default(), &expect, &settings(OnHang::Trigger), secs(1.0))
        };
        let exited = Kind::Exited(Exit::Code(1));
        // TimeoutAbortSec, TimeoutStartSec, MARGIN; before the unit has ended 2 × TimeoutStopSec.
        assert_eq!(wait(std::slice::from_ref(&exited)), Patience::Until(secs(1.0 + 2.0 + 10.0 + 1.0 + 10.0)));
        let failed = Kind::Failed { result: "exit-code".into() };
        assert_eq!(wait(&[exited, failed]), Patience::Until(secs(1.0 + 2.0 + 10.0 + 1.0)));
    }

    #[test]
    fn who_may_start_a_unit_again_that_systemd_does_not_has_a_moment_for_it() {
        let ended = Some(secs(2.0));
        assert_eq!(wait(ended, secs(2.0), Restart::No, "5s"), Patience::Until(secs(3.25)));
        assert_eq!(wait(ended, secs(3.25), Restart::No, "5s"), Patience::Settled);
    }

    #[test]
    fn who_is_ready_again_is_waited_for_until_it_is_known_that_clients_are_served() {
        let events = [
            (0.0, Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs }),
            (0.1, Kind::Exited(Exit::Code(1))),
            (1.0, Kind::Ready),
        ];
        let events = events.map(|(at, kind)| Event { at: secs(at), kind });
        let mut served = Witness::default();
        served.add(Ask { asked: secs(1.1), known: secs(1.2), answer: Answer::Good });
        let expect = serde_json::from_str(r#"{"outcome":"restarted"}"#).expect("an expectation");
        for (witness, known_until, expected) in [
            (&served, 1.3, Patience::Settled),
            (&served, 1.0, Patience::Until(secs(3.0))),
            (&served, 0.9, Patience::Until(secs(3.0))),
            (&Witness::default(), 1.3, Patience::Until(secs(3.0))),
        ] {
            let timeline = Timeline::new(ORIGIN, secs(1.3), events.to_vec(), witness);
            let settings = settings(OnHang::Trigger);
            let waits = after_injection(&timeline, witness, &expect, &settings, secs(known_until));
            assert_eq!(waits, expected, "{known_until}");
        }
    }

    #[test]
    fn a_restart_that_its_unit_puts_off_is_waited_for_as_long_as_that_and_once_more() {
        let events = vec![
            Event {
                at: ORIGIN,
                kind: Kind::Injected { fault: "mute".into(), within_usec: None, deed: Deed::Hangs },
            },
            Event { at: secs(2.0), kind: Kind::WatchdogTimeout },
        ];
        let witness = Witness::default();
        let timeline = Timeline::new(ORIGIN, secs(2.0), events, &witness);
        let expect = serde_json::from_str(r#"{"outcome":"restarted"}"#).expect("an expectation");
        let settings = Settings { restart_usec: Some(20_000_000), ..settings(OnHang::Trigger) };
        let waits = after_injection(&timeline, &witness, &expect, &settings, secs(2.0));
        // Two times RestartSec, its timer's slack and a margin; 2 × TimeoutStopSec for what may be left over; and a margin.
        assert_eq!(waits, Patience::Until(secs(2.0 + 2.0 * 21.25 + 10.0 + 1.0)));
    }

    #[test]
    fn a_start_may_take_what_the_unit_grants_it() {
        let unit = settings(OnHang::Trigger);
        assert_eq!(start(&unit), Duration::from_secs(11));
        assert_eq!(start(&Settings { timeout_start_usec: None, ..unit }), UNBOUNDED_PHASE + MARGIN);
    }
}
