//! How far a probe gets within its deadline.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::words::outcome::Reason;

/// How far a probe got, for the reason at its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Lookup,
    Connect,
    #[cfg(feature = "tls")]
    Handshake,
    /// Connected, and nothing sent: the service is to speak first.
    Listen,
    /// All is sent.
    Wait,
    /// Something came in.
    Read,
}

/// One probe under way.
#[derive(Debug)]
pub struct Course {
    timeout: Duration,
    stage: Cell<Stage>,
    refusal: RefCell<Option<Reason>>,
}

impl Course {
    /// A probe with this deadline that has just begun.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, stage: Cell::new(Stage::Lookup), refusal: RefCell::default() }
    }

    /// T
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// It got so far.
    pub fn reach(&self, stage: Stage) {
        self.stage.set(stage);
    }

    /// It was refused where the service was found before, and looks whether it has moved.
    pub fn refused(&self, reason: Reason) {
        self.refusal.replace(Some(reason));
    }

    /// Why it was refused.
    pub fn refusal(&self) -> Option<Reason> {
        self.refusal.borrow().clone()
    }
}
