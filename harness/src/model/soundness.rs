//! Whether what was found is to be held against the service, or whether the instrument itself was late: then a trial is neither
//! as expected nor not. Pure.
//!
//! The instrument's own clients are a measure. They ask at fixed times and do next to nothing, so that on a computer with time to
//! spare none is ever late; where they have to wait for a CPU, so has the service, which does more than they do. How much longer it
//! waits the kernel counts: for how long something of it was to run and nothing of it did, nor anything in its machine, on an average
//! of the CPUs that they wanted ([`Stalled`](super::moment::Stalled)). A quota and a fault that takes the CPUs are no part of that.
//!
//! - A client that was late by [`DEAF`] at once has seen nothing for so long: nothing is held to be proven, not even that all was well.
//! - What took too long by no more than clients were late meanwhile, or the machine stood still, might have been in time on another
//!   computer. What took longer than that is the service's own failure, on a busy computer too; and whoever was in time although he had to
//!   wait was in time.
//! - What no time can excuse (the wrong cause, Restart=no, no pings at all where systemd's watchdog is off) fails on any computer.
//!
//! How late the journal reaches the conductor changes no verdict: its entries carry the times at which they were sent or received, and what is *not* in it is
//! found missing only after journald has handed over all that it had. How late the conductor takes things in changes none either: each
//! carries the time at which it was sent, and by a deadline is what was sent by it, however late it is read
//! (`run::inputs::Inputs::receive`). While it injects something it reads nothing at all, for as long as that
//! takes; so the gauge tells of it, and nobody is judged by it.

use std::time::Duration;

use super::ask::Witness;
use super::clock::Human;
use super::finding::{Finding, Hinge};
use super::phase::Span;

/// A client that is late by this has missed what the shortest watchdogs of use take to find a hang, and any outage as short.
pub const DEAF: Duration = Duration::from_millis(500);

/// What is no lateness yet: timers of the observer's runtime go by milliseconds, and on an idle computer wake within a few.
pub const GRAIN: Duration = Duration::from_millis(5);

/// What is left of findings about a trial that lasted over `trial`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weighed {
    /// They hold; there may be none.
    Sound(Vec<String>),
    /// They do not, and why.
    Unsound(Vec<String>),
}

/// Weighs findings against how late the instrument was.
pub fn weigh(findings: Vec<Finding>, trial: Span, witness: &Witness) -> Weighed {
    let lateness = Lateness::of(witness);
    if let Some(late) = lateness.longest(trial).filter(|late| late.length() > DEAF.max(witness.interval())) {
        let (length, after) = (Human(late.length()), Human(late.from - trial.from));
        let interval = Human(witness.interval());
        let deaf = format!(
            "the instrument was late: no client asked for {length} from {after} on, which is to ask every {interval}; \
            a computer as busy as this one measures nothing"
        );
        return Weighed::Unsound(vec![deaf]);
    }
    let mut held = Vec::new();
    let mut doubted = Vec::new();
    // The longest stretch that anything is excused by, for the figure, and by how late clients were or the machine was.
    let mut excuse: Option<(Span, Excuse)> = None;
    for Finding { what, hinge } in findings {
        match hinge {
            Hinge::Instrument => doubted.push(what),
            Hinge::Fact => held.push(what),
            Hinge::Time { over, span } => {
                let excuses = [
                    Excuse::LateClient(lateness.within(span)),
                    Excuse::StalledMachine(witness.stalled_within(span)),
                ];
                match excuses.into_iter().find(|excuse| excuse.length() >= over) {
                    Some(by) => {
                        excuse = excuse.into_iter().chain([(span, by)]).max_by_key(|(span, _)| span.length());
                        doubted.push(what);
                    }
                    None => held.push(what),
                }
            }
        }
    }
    if !held.is_empty() || doubted.is_empty() {
        return Weighed::Sound(held);
    }
    let why = excuse.map(|(span, by)| {
        let (late, of) = (Human(by.length()), Human(span.length()));
        match by {
            Excuse::LateClient(_) => format!(
                "the instrument was late: its client, which needs next to no CPU, waited for one {late} of {of}"
            ),
            Excuse::StalledMachine(_) => {
                format!("the computer was busy: of {of} the machine waited {late} for a CPU that others had")
            }
        }
    });
    Weighed::Unsound(why.into_iter().chain(doubted).collect())
}

/// By what something is excused that took too long.
#[derive(Clone, Copy)]
enum Excuse {
    LateClient(Duration),
    StalledMachine(Duration),
}

impl Excuse {
    fn length(self) -> Duration {
        match self {
            Self::LateClient(late) | Self::StalledMachine(late) => late,
        }
    }
}

/// When clients were due and had not asked yet.
struct Lateness(Vec<Span>);

impl Lateness {
    fn of(witness: &Witness) -> Self {
        let late =
            witness.successions().map(|(asked, next)| Span { from: asked + witness.interval(), to: next });
        Self(late.filter(|span| span.length() > GRAIN).collect())
    }

    fn longest(&self, within: Span) -> Option<Span> {
        self.cut(within).max_by_key(|span| span.length())
    }

    fn within(&self, span: Span) -> Duration {
        self.cut(span).map(Span::length).sum()
    }

    fn cut(&self, within: Span) -> impl Iterator<Item = Span> {
        let cut = move |span: &Span| Span { from: span.from.max(within.from), to: span.to.min(within.to) };
        // Of one outside, which is the wrong way round then, no time is left.
        self.0.iter().map(cut)
    }
}

#[cfg(test)]
mod tests;
