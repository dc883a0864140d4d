//! How long a trial is waited for: until it is settled, or until a phase is overdue for certain. Pure.

use std::time::Duration;

use crate::model::ask::{TICK, Witness};
use crate::model::bound::{ALLOWANCE, Bound, MARGIN, TIMER_SLACK, quiet};
use crate::model::clock::Usec;
use crate::model::event::Kind;
use crate::model::expect::{Expectation, Outcome};
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

/// How much later than the limit an answer may be asked and known, and yet is measured.
const LATE_ANSWER: Duration = ALLOWANCE.saturating_add(TICK);

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
            Patience::Until(timeline.origin + expect.calm(settings))
        };
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
        let until = recovery.to + SERVED_AGAIN;
        // Where it does not, as long as is expected.
        let expected = [
            expect.ready(settings).map(|ready| recovery.to + ready + LATE_ANSWER),
            expect.limit(settings).map(|limit| timeline.origin + limit + LATE_ANSWER),
        ];
        let expected = expected.into_iter().flatten().filter(|_| !settings.kind.notifies());
        return if served { Patience::Settled } else { Patience::Until(expected.fold(until, Usec::max)) };
    }
    let bounded = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.at_most);
    match phases.detect {
        None => {
            let detect =
                bounded(&bounds.detect).or_else(|| expect.limit(settings)).unwrap_or(UNBOUNDED_DETECT);
            // Whoever says that systemd's timer did not expire, or that it took longer than expected, has waited so long.
            let timer = settings.span("WatchdogSec").map(|watchdog| watchdog + TIMER_SLACK);
            let detect =
                detect.max(timer.unwrap_or_default()).max(expect.limit(settings).unwrap_or_default());
            Patience::Until(timeline.origin + detect + MARGIN)
        }
        Some(detect) => {
            let rest = [&bounds.kill, &bounds.restart, &bounds.start].map(bounded);
            let rest: Duration = rest.into_iter().map(|bound| bound.unwrap_or(UNBOUNDED_PHASE)).sum();
            Patience::Until(detect.to + rest.max(quiet(settings) * 2) + MARGIN)
        }
    }
}

/// How long after its start the first good answer of a service is waited for, where one ask may take `timeout`.
pub fn first_answer(expect: &Expectation, settings: Option<&Settings>, timeout: Duration) -> Duration {
    let ready = settings.and_then(|settings| expect.ready(settings));
    ready.unwrap_or_else(|| FIRST_ANSWER.max(timeout))
}

/// How long a start may take.
pub fn start(settings: &Settings) -> Duration {
    settings.span("TimeoutStartSec").unwrap_or(UNBOUNDED_PHASE) + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bound::tests::settings;
    use crate::model::event::{Event, Exit};
    use crate::model::settings::{OnHang, Restart, Type};

    const ORIGIN: Usec = Usec(10_000_000);

    fn secs(seconds: f64) -> Usec {
        ORIGIN + Duration::from_secs_f64(seconds)
    }

    /// How long to wait for a restart within `within`, where the service `ended` or did not, as seen at `now`.
    fn wait(ended: Option<Usec>, now: Usec, restart: Restart, within: &str) -> Patience {
        let mut events =
            vec![Event { at: ORIGIN, kind: Kind::Injected { fault: "mute".into(), within_usec: None } }];
        for kind in [Kind::Exited(Exit::Signal("SIGABRT".into())), Kind::Failed { result: "signal".into() }] {
            events.extend(ended.map(|at| Event { at, kind }));
        }
        let settings = Settings { restart, ..settings(OnHang::Trigger) };
        let expect = Expectation {
            outcome: Outcome::Restarted,
            by: None,
            recovery_within: Some(within.into()),
            undisturbed_for: None,
            hang_report: None,
            ready_within: None,
        };
        let witness = Witness::default();
        let timeline = Timeline::new(ORIGIN, now, events, &witness);
        after_injection(&timeline, &witness, &expect, &settings, now)
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
        let mut events =
            vec![Event { at: ORIGIN, kind: Kind::Injected { fault: "crash".into(), within_usec: None } }];
        for (at, kind) in [(0.1, Kind::Exited(Exit::Code(1))), (1.0, Kind::Ready)] {
            events.push(Event { at: secs(at), kind });
        }
        let witness = Witness::default();
        let timeline = Timeline::new(ORIGIN, secs(1.0), events, &witness);
        for (kind, recovery_within, ready_within, until) in [
            (Type::Simple, None, None, 3.0),
            (Type::Simple, Some("20s"), None, 20.11),
            (Type::Simple, Some("2s"), None, 3.0),
            (Type::Simple, Some("20s"), Some("30s"), 31.11),
            (Type::Simple, None, Some("WatchdogSec"), 6.11),
            (Type::Notify, Some("20s"), Some("30s"), 3.0),
        ] {
            let settings = Settings { kind, ..settings(OnHang::Trigger) };
            let expect = Expectation {
                outcome: Outcome::Restarted,
                by: None,
                recovery_within: recovery_within.map(Into::into),
                undisturbed_for: None,
                hang_report: None,
                ready_within: ready_within.map(Into::into),
            };
            let waits = after_injection(&timeline, &witness, &expect, &settings, secs(1.0));
            assert_eq!(waits, Patience::Until(secs(until)), "{recovery_within:?} {ready_within:?}");
            let first = first_answer(&expect, Some(&settings), Duration::from_secs(1));
            assert_eq!(first, expect.ready(&settings).unwrap_or(FIRST_ANSWER));
        }
    }

    #[test]
    fn who_may_start_a_unit_again_that_systemd_does_not_has_a_moment_for_it() {
        let ended = Some(secs(2.0));
        assert_eq!(wait(ended, secs(2.0), Restart::No, "5s"), Patience::Until(secs(3.25)));
        assert_eq!(wait(ended, secs(3.25), Restart::No, "5s"), Patience::Settled);
    }
}
