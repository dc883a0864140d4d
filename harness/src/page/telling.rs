//! What the page is told: JSON objects, live one by one, still as a list. The page knows nothing else.
//!
//! Moments in time are microseconds of CLOCK_MONOTONIC, lengths are microseconds too and say so in their names. What is not
//! known is absent, never 0. Strings are somebody's text, not markup. A kind that the page does not know it passes over.

use std::time::Duration;

use serde::Serialize;

use crate::model::clock::Usec;

mod answers;
mod controls;
mod episode;
mod event;
mod history;
mod report;
mod run;
mod scene;
mod state;
#[cfg(test)]
mod tests;
mod unit;

pub use self::answers::{Answered, Answers};
pub use self::controls::{Choice, Controls, Deed};
pub use self::episode::{Episode, Fault, Part, Ruling};
pub use self::event::{Entry, Event, Line, Source};
pub use self::history::{Group, History, Recovered};
pub use self::report::{Report, Thread};
pub use self::run::Run;
pub use self::scene::{Limits, Scene, Settings};
pub use self::state::{State, Word};
pub use self::unit::{File, Unit};

/// A telling in its place among others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// From 1, counting up.
    pub id: u64,
    /// When.
    pub at: Usec,
    /// What.
    #[serde(flatten)]
    pub telling: Telling,
}

/// One thing that the page is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Telling {
    /// What is looked at. It comes first, and again when it changes; the newest replaces the others.
    Scene(Box<Scene>),
    /// What the unit and its guard are set to. The newest replaces the others.
    Settings(Settings),
    /// The unit's files. The newest are in force, each are those that were from then on.
    Unit(Unit),
    /// How the service is. The newest is how it is now, each is how it was from then on.
    State(State),
    /// What became of clients' asks.
    Answers(Answers),
    /// Something happened.
    Event(Box<Event>),
    /// A line of the journal that is no event.
    Line(Line),
    /// A fault is in effect, or was. One of the same key replaces it.
    Fault(Fault),
    /// A fault and what comes of it. One of the same key replaces it.
    Episode(Box<Episode>),
    /// What `sd-watchdog` saw of a hung service. One of the same key replaces it.
    Report(Report),
    /// The recoveries so far. The newest replaces the others.
    History(History),
    /// What can be done to the service, live. The newest replaces the others.
    Controls(Controls),
    /// A scenario's trials, of a run that is over.
    Run(Box<Run>),
}

/// A length, as tellings have them.
pub(crate) fn usec(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
