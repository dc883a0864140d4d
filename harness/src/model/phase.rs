//! The phases of a recovery.

use std::time::Duration;

use serde::Serialize;

use super::clock::Usec;

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Usec,
    /// Its end.
    pub to: Usec,
}

impl Span {
    /// How long it is.
    pub fn length(self) -> Duration {
        self.to - self.from
    }
}

/// The phases of a recovery. One that did not happen is absent, never zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Injection to systemd's word of it, or to the exit of a process that dies by itself.
    pub detect: Option<Span>,
    /// From there to the main process's end; absent where that was the detection.
    pub kill: Option<Span>,
    /// From there to the next start.
    pub restart: Option<Span>,
    /// From there to `READY=1`.
    pub start: Option<Span>,
    /// Injection to `READY=1`.
    pub recovery: Option<Span>,
    /// Last good answer to first good answer, as clients saw it.
    pub outage: Option<Span>,
}

/// A phase's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "as the fields of `Phases`")]
pub enum Phase {
    Detect,
    Kill,
    Restart,
    Start,
    Recovery,
    Outage,
}

impl Phase {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Detect, Self::Kill, Self::Restart, Self::Start, Self::Recovery, Self::Outage];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Recovery => "recovery",
            Self::Outage => "outage",
        }
    }
}

impl Phases {
    /// One of them, if it happened.
    pub fn get(&self, phase: Phase) -> Option<Span> {
        match phase {
            Phase::Detect => self.detect,
            Phase::Kill => self.kill,
            Phase::Restart => self.restart,
            Phase::Start => self.start,
            Phase::Recovery => self.recovery,
            Phase::Outage => self.outage,
        }
    }

    /// Those that happened, in the order in which they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Span)> {
        Phase::ALL.into_iter().filter_map(|phase| Some((phase, self.get(phase)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_a_name_and_a_span_of_its_own() {
        let span = |ms: u64| Some(Span { from: Usec(ms), to: Usec(3 * ms) });
        let phases = Phases {
            detect: span(1),
            kill: span(2),
            restart: span(3),
            start: span(4),
            recovery: span(5),
            outage: span(6),
        };
        let seen = phases.iter().map(|(phase, span)| (phase.name(), span.length().as_micros()));
        let expected =
            [("detect", 2), ("kill", 4), ("restart", 6), ("start", 8), ("recovery", 10), ("outage", 12)];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(
            Phases { kill: span(2), ..Phases::default() }.iter().count(),
            1,
            "what did not happen is absent"
        );
    }
}
