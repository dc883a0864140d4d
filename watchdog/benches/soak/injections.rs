//! Hangs that were ordered, and what came of each. Pure.

use std::time::Duration;

use super::account::Finding;
use super::bound::Timing;
use super::clock::Time;
use super::hang::Hang;

/// A hang may be told this much after its bound: the resolution of the timers that it is the sum of.
const TOLERANCE: Duration = Duration::from_millis(50);
/// After so many bounds nobody waits for it to be found any more.
const GIVEN_UP: u32 = 2;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was told within its bound.
    Found,
    /// systemd's own timer found it, while the word that was due was lost: the socket had been away for a moment.
    WordLost,
    /// It was told after its bound, or not at all.
    Missed,
    /// The soak knows too little to tell: why.
    Unsound(&'static str),
}

/// One that was ordered.
#[derive(Debug, Clone)]
pub struct Injection {
    /// Which patient.
    pub service: usize,
    /// How it hangs.
    pub kind: Hang,
    /// When it was ordered.
    pub ordered: Time,
    /// When it began, as the service itself says.
    pub began: Option<Time>,
    /// The socket was taken away at the time when the trigger was due.
    pub gone: bool,
    /// From its beginning to the trigger, or the lapse.
    pub after: Option<Duration>,
    /// It was a lapse.
    pub by_timer: bool,
    /// The share of the time in which the unit was kept from running.
    pub kept: Option<f64>,
    /// For how long the soak kept `sd-watchdog` from probing or speaking meanwhile, and what that cost.
    pub silenced: Duration,
    /// For how long the soak itself stood still meanwhile, and so most likely all of the machine: no PSI tells that.
    pub stalled: Duration,
    /// [`None`] while it is open.
    pub outcome: Option<Outcome>,
}

impl Injection {
    /// Ordered now.
    pub fn order(service: usize, kind: Hang, gone: bool, now: Time) -> Self {
        Self {
            service,
            kind,
            ordered: now,
            began: None,
            gone,
            after: None,
            by_timer: false,
            kept: None,
            silenced: Duration::ZERO,
            stalled: Duration::ZERO,
            outcome: None,
        }
    }

    /// Its bound, with what is known of the pressure and of what the soak did.
    pub fn bound(&self, timing: &Timing) -> Duration {
        timing.detect_bound(self.kept.unwrap_or_default()) + self.silenced + TOLERANCE
    }

    /// A trigger or a lapse at `now`; the unit was `kept` from running for this share of the time since it began.
    /// `is_late`: the soak itself was, in ending what kept `sd-watchdog` from speaking.
    pub fn found(&mut self, finding: &Finding, now: Time, kept: Option<f64>, is_late: bool, timing: &Timing) {
        let after = now.saturating_sub(self.began.unwrap_or(now));
        self.kept = kept;
        self.after = Some(after);
        self.by_timer = matches!(finding, Finding::Lapse(_));
        self.outcome = Some(if is_late {
            Outcome::Unsound("the soak kept it from speaking for longer than it meant to")
        } else if after > self.bound(timing) {
            match kept {
                Some(_) if after <= self.bound(timing) + self.stalled => {
                    Outcome::Unsound("within its bound but for the time in which the soak itself stood still")
                }
                Some(_) => Outcome::Missed,
                None => Outcome::Unsound("without PSI of the unit its bound is not known"),
            }
        } else if self.by_timer && self.gone && kept.is_some_and(|kept| kept < timing.pressure) {
            Outcome::WordLost
        } else {
            Outcome::Found
        });
    }

    /// Nothing was told until `now`: whether it is given up.
    pub fn is_given_up(&mut self, now: Time, kept: Option<f64>, timing: &Timing) -> bool {
        let Some(began) = self.began else {
            // The order was not carried out.
            let is_over = now.saturating_sub(self.ordered) > timing.watchdog * 6;
            if is_over {
                self.outcome = Some(Outcome::Unsound("the service did not take the order"));
            }
            return is_over;
        };
        self.kept = kept;
        let is_over = now.saturating_sub(began) > self.bound(timing) * GIVEN_UP + self.stalled;
        if is_over {
            self.outcome = Some(Outcome::Missed);
        }
        is_over
    }
}
