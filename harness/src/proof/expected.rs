//! What is to come of it, as a test says it.

use crate::model::expect::{By, Outcome};
use crate::scenario::asked::Expect;

/// What is to come of a fault. Time spans are text: `"5s"`, or a directive of the unit that is one, `"WatchdogSec"`.
#[derive(Clone, Debug)]
#[must_use = "a Proof has to expect() it"]
pub struct Expected(pub(super) Expect);

/// The service is restarted and serves again.
pub fn restarted() -> Expected {
    Expected::of(Outcome::Restarted)
}

/// Nothing happens to the service.
pub fn undisturbed() -> Expected {
    Expected::of(Outcome::Undisturbed)
}

/// systemd gives the service up.
pub fn failed() -> Expected {
    Expected::of(Outcome::Failed)
}

/// The service ends in order and stays down: what becomes of one that is asked to `"stop"`.
pub fn stopped() -> Expected {
    Expected::of(Outcome::Stopped)
}

impl Expected {
    fn of(outcome: Outcome) -> Self {
        let word = Outcome::WORDS.iter().find(|(_, is)| *is == outcome);
        Self(Expect { outcome: word.map(|(word, _)| (*word).to_owned()), ..Expect::default() })
    }

    /// What must have ended the main process; by default what the fault suggests.
    pub fn by(mut self, by: By) -> Self {
        self.0.by = Some(by);
        self
    }

    /// From the fault to READY, at most; by default as the unit's timers allow.
    pub fn within(mut self, span: impl Into<String>) -> Self {
        self.0.within = Some(span.into());
        self
    }

    /// From the last good answer to the first, as clients saw it, at most.
    pub fn outage_within(mut self, span: impl Into<String>) -> Self {
        self.0.outage_within = Some(span.into());
        self
    }

    /// How many requests of the [load](super::Proof::load) may fail.
    pub fn at_most_failed(mut self, requests: u64) -> Self {
        self.0.at_most_failed = Some(requests);
        self
    }

    /// How long a service that is to stay undisturbed is watched; two times WatchdogSec by default.
    pub fn during(mut self, span: impl Into<String>) -> Self {
        self.0.undisturbed_for = Some(span.into());
        self
    }

    /// From the fault to systemd's word that the watchdog found a hang, or to the end of a process that ends by itself, at most.
    pub fn detect_within(self, span: impl Into<String>) -> Self {
        self.phase("detect_within", span)
    }

    /// From there to the main process's end, at most.
    pub fn kill_within(self, span: impl Into<String>) -> Self {
        self.phase("kill_within", span)
    }

    /// From there to the next start, at most.
    pub fn restart_within(self, span: impl Into<String>) -> Self {
        self.phase("restart_within", span)
    }

    /// From there to READY, at most.
    pub fn start_within(self, span: impl Into<String>) -> Self {
        self.phase("start_within", span)
    }

    fn phase(mut self, key: &'static str, span: impl Into<String>) -> Self {
        self.0.phases.retain(|(known, _)| *known != key);
        self.0.phases.push((key, span.into()));
        self
    }

    /// How many restarts systemd must have scheduled, neither more nor fewer.
    pub fn restarts(mut self, count: u64) -> Self {
        self.0.restarts = Some(count);
        self
    }

    /// What a line of the journal must have that systemd or `sd-watchdog` writes about the unit; of several, each in some line.
    pub fn journal(mut self, text: impl Into<String>) -> Self {
        self.0.journal.push(text.into());
        self
    }

    /// What no such line may have.
    pub fn journal_without(mut self, text: impl Into<String>) -> Self {
        self.0.journal_without.push(text.into());
        self
    }

    /// What the hang report's diagnosis must contain.
    pub fn diagnosis(mut self, text: impl Into<String>) -> Self {
        self.0.diagnosis = Some(text.into());
        self
    }

    /// Whether `sd-watchdog` must have put a hang report into the journal, or none at all.
    pub fn hang_report(mut self, is_expected: bool) -> Self {
        self.0.hang_report = Some(is_expected);
        self
    }
}
