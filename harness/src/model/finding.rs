//! A way in which a trial was not as expected, and what that hangs on.

use std::time::Duration;

use super::clock::Usec;
use super::phase::Span;

/// A way in which a trial was not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In words.
    pub what: String,
    /// Whether a faster computer would have shown something else.
    pub hinge: Hinge,
}

/// What a finding hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hinge {
    /// It would be so on any computer.
    Fact,
    /// Something took too long within `span`: with `over` less it would have been in time.
    Time {
        /// How much too long, at least; more than nothing.
        over: Duration,
        /// When.
        span: Span,
    },
    /// The instrument saw nothing.
    Instrument,
}

impl Finding {
    /// That something took `over` too long between the two moments.
    #[must_use]
    pub fn late(what: String, over: Duration, from: Usec, to: Usec) -> Self {
        let over = over.max(Duration::from_micros(1));
        Self { what, hinge: Hinge::Time { over, span: Span { from, to } } }
    }

    /// That something did not happen between the two, of which it would have taken a part.
    #[must_use]
    pub fn never(what: String, from: Usec, to: Usec) -> Self {
        Self::late(what, (to - from) / 2, from, to)
    }

    /// That the instrument saw nothing.
    #[must_use]
    pub fn deaf(what: String) -> Self {
        Self { what, hinge: Hinge::Instrument }
    }
}

/// Of a fact.
impl From<String> for Finding {
    fn from(what: String) -> Self {
        Self { what, hinge: Hinge::Fact }
    }
}
