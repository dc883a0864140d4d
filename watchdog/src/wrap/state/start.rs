//! A start: when to look again, and when it has taken too long.

use std::time::{Duration, Instant};

use crate::hang::timing::Timing;

/// While starting, a probe waits a sixteenth of the time already waited, within these limits: READY comes within
/// milliseconds of a service that starts fast, and a slow one is not bothered.
const GAP: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// A probe that takes long itself, like a command, is not to be most of what the start's CPU does.
const GAP_PER_PROBE: u32 = 8;
/// The first look: before even a short TimeoutStartSec= has passed.
const FIRST_LOOK: Duration = Duration::from_millis(250);
/// How often it is looked whether a start makes progress, at most.
const LOOK: Duration = Duration::from_secs(1);
/// How long an extension lasts: a start that waits for another service for a while has not ended. One that hangs lives on
/// for as long after its last progress.
const EXTENSION: Duration = Duration::from_secs(15);

/// From the end of an unhealthy probe, which `took` so long, to the next, in a start that has `lasted` so long; or in a reload.
pub(super) fn gap(lasted: Duration, timing: &Timing, took: Duration) -> Duration {
    let (shortest, longest) = GAP;
    let longest = longest.min(timing.interval);
    let gap = (lasted / 16).clamp(shortest.min(longest), longest);
    gap.max((took * GAP_PER_PROBE).min(timing.interval))
}

/// A start under way.
#[derive(Debug, Clone)]
pub(super) struct Start {
    began: Instant,
    /// `--start-timeout`
    limit: Option<Duration>,
    next_look: Option<Instant>,
    /// Until when systemd was asked to wait, at least.
    extended: Option<Instant>,
}

impl Start {
    pub(super) fn new(limit: Option<Duration>, now: Instant) -> Self {
        let next_look = limit.map(|limit| now + FIRST_LOOK.min(limit / 3));
        Self { began: now, limit, next_look, extended: None }
    }

    /// Since COMMAND was started.
    pub(super) fn lasted(&self, now: Instant) -> Duration {
        now - self.began
    }

    /// When COMMAND was started.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// `--start-timeout` has passed for a unit that was `able` to run for so long since.
    pub(super) fn is_overdue(&self, able: Duration) -> bool {
        self.limit.is_some_and(|limit| able >= limit)
    }

    /// When to look whether progress is made; [`None`] where nobody asks.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.next_look
    }

    /// Progress was looked for; how long systemd should wait from now on, if it was made. The unit was `able` to run for so
    /// long since the start: what others took of the time is not its own.
    ///
    /// systemd takes the value as time from now, and as far as it goes beyond TimeoutStartSec= expects it to be said
    /// again before it is over (sd_notify(3), `EXTEND_TIMEOUT_USEC`). It is never extended beyond the limit by more
    /// than what deciding takes.
    pub(super) fn looked(&mut self, is_progress: bool, able: Duration, now: Instant) -> Option<Duration> {
        let limit = self.limit?;
        let look = LOOK.min(limit / 3).max(GAP.0);
        let left = limit.saturating_sub(able);
        self.next_look = Some(now + look.min(left.max(GAP.0)));
        let extension = (is_progress && !left.is_zero()).then(|| EXTENSION.min(left + look))?;
        self.extended = Some(now + extension);
        Some(extension)
    }

    /// What is left of the last extension.
    pub(super) fn extended(&self, now: Instant) -> Option<Duration> {
        let left = self.extended?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}
