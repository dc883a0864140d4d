//! How long a trial is waited for: until it is settled, or until a phase is overdue for certain. Pure.

use std::time::Duration;

use crate::bound::Bounds;
use crate::clock::Usec;
use crate::event::Kind;
use crate::outage::Witness;
use crate::scenario::{Expectation, Outcome};
use crate::timeline::Timeline;
use crate::unit::Settings;

/// What a phase may take beyond its bound before it is given up, so that a late event is still measured.
const MARGIN: Duration = Duration::from_secs(1);
/// How long a hang is waited for where nothing bounds its detection.
const UNBOUNDED_DETECT: Duration = Duration::from_secs(5);
/// How long a phase is waited for that the unit does not bound; systemd's DefaultTimeoutStartSec.
const UNBOUNDED_PHASE: Duration = Duration::from_secs(90);
/// How long after READY the first good answer is waited for.
const SERVED_AGAIN: Duration = Duration::from_secs(2);

/// Whether to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Nothing more can happen that matters.
    Settled,
    /// Something is still to come, by this moment.
    Until(Usec),
}

/// How long to wait for the rest of a trial after its injection.
pub fn after_injection(
    timeline: &Timeline,
    witness: &Witness,
    expect: &Expectation,
    settings: &Settings,
) -> Patience {
    let bounds = Bounds::of(settings);
    if expect.outcome == Outcome::Undisturbed {
        let over = timeline.has(Kind::is_disturbance);
        return if over {
            Patience::Settled
        } else {
            Patience::Until(timeline.origin + expect.calm(settings))
        };
    }
    let phases = &timeline.phases;
    let gave_up = timeline.has(|kind| *kind == Kind::StartLimitHit)
        || (settings.restart == "no" && timeline.has(|kind| matches!(kind, Kind::Failed { .. })));
    if gave_up {
        return Patience::Settled;
    }
    if let Some(recovery) = phases.recovery {
        let served = phases.outage.is_some_and(|outage| outage.to >= recovery.from);
        let unseen = witness.first_bad().is_none() && witness.last_asked() > Some(recovery.to);
        return if served || unseen {
            Patience::Settled
        } else {
            Patience::Until(recovery.to + SERVED_AGAIN)
        };
    }
    let bounded = |bound: &Option<crate::bound::Bound>| bound.as_ref().map(|bound| bound.at_most);
    match phases.detect {
        None => {
            let detect =
                bounded(&bounds.detect).or_else(|| expect.limit(settings)).unwrap_or(UNBOUNDED_DETECT);
            Patience::Until(timeline.origin + detect + MARGIN)
        }
        Some(detect) => {
            let rest = [&bounds.kill, &bounds.restart, &bounds.start].map(bounded);
            let rest: Duration = rest.into_iter().map(|bound| bound.unwrap_or(UNBOUNDED_PHASE)).sum();
            Patience::Until(detect.to + rest + MARGIN)
        }
    }
}

/// How long a start may take.
pub fn start(settings: &Settings) -> Duration {
    settings.span("TimeoutStartSec").unwrap_or(UNBOUNDED_PHASE) + MARGIN
}
