//! How long a probe may take.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::kernel::stalls::Limit;
use crate::kernel::starvation::Starvation;
use crate::words::span::{Span, rounded};

/// A time on the clock, or in which the service is able to run.
#[derive(Debug, Clone)]
pub struct Deadline {
    limit: Limit,
    starvation: Option<Rc<Starvation>>,
    /// On a busy machine a short deadline can pass before the peer was connected to.
    #[cfg(test)]
    not_before: Option<super::testing::Cue>,
}

impl Deadline {
    /// On the clock.
    pub fn after(timeout: Duration) -> Self {
        Self {
            limit: Limit::of(timeout),
            starvation: None,
            #[cfg(test)]
            not_before: None,
        }
    }

    /// In the time in which the unit that is measured is able to run.
    pub fn able(limit: Limit, starvation: Rc<Starvation>) -> Self {
        let mut deadline = Self::after(limit.timeout);
        (deadline.limit, deadline.starvation) = (limit, Some(starvation));
        deadline
    }

    /// The same, and not before `cue` was given.
    #[cfg(test)]
    pub(super) fn not_before(self, cue: super::testing::Cue) -> Self {
        Self { not_before: Some(cue), ..self }
    }

    /// T: of the clock, unless the service is kept from running.
    pub(super) fn timeout(&self) -> Duration {
        self.limit.timeout
    }

    /// When to ask again whether the time is up for what began at `started`; [`None`]: it is.
    pub(super) fn next(&self, started: Instant, now: Instant) -> Option<Instant> {
        #[cfg(test)]
        if let Some(cue) = &self.not_before
            && cue.is_to_be_waited_for()
        {
            return Some(now + Duration::from_millis(1));
        }
        if let Some(starvation) = &self.starvation {
            return starvation.next_look(self.limit, started, now);
        }
        let end = started + self.limit.timeout;
        (now < end).then_some(end)
    }

    /// How long it was waited since `started`, for people.
    pub(super) fn waited(&self, started: Instant) -> Waited {
        let (now, timeout) = (Instant::now(), self.limit.timeout);
        let under_pressure = |starvation: &&Rc<Starvation>| starvation.pressure(started, now).is_some();
        match self.starvation.as_ref().filter(under_pressure) {
            Some(starvation) => Waited { waited: now - started, able: Some(starvation.able(started, now)) },
            None => Waited { waited: timeout, able: None },
        }
    }
}

/// "500 ms", or "4.2 s (it could run for 500 ms of them)".
pub(super) struct Waited {
    waited: Duration,
    able: Option<Duration>,
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.able {
            Some(able) => write!(f, "{} (it could run for {} of them)", rounded(self.waited), rounded(able)),
            None => Span(self.waited).fmt(f),
        }
    }
}
