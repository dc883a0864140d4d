//! How the server is: healthy, about to be faulty, or faulty. The injector writes it, everybody else reads it.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::fault::{Fault, Injection};

/// How the server is at this moment.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    /// It serves.
    Healthy {
        /// The next fault of the random plan, if there is one.
        next: Option<Due>,
    },
    /// It serves, and a fault has been ordered for later.
    Pending {
        /// The fault that was ordered.
        order: Due,
        /// How long it is to last, if it is to end by itself.
        lasting: Option<Duration>,
    },
    /// A fault is active.
    Faulty {
        /// Which one.
        injection: Injection,
        /// When it had taken hold, by `CLOCK_MONOTONIC`.
        injected_at_usec: u64,
        /// When it ends by itself, if it does.
        until: Option<Instant>,
    },
}

/// A fault and the time at which it is to begin.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// What is to begin.
    pub injection: Injection,
    /// When.
    pub at: Instant,
}

/// Everybody's view of the condition.
pub type ConditionReader = watch::Receiver<Condition>;

impl Condition {
    /// The fault that is active, if any.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Healthy { .. } | Self::Pending { .. } => None,
            Self::Faulty { injection, .. } => Some(injection.fault),
        }
    }

    /// The fault that is to begin, ordered or drawn, if any.
    pub fn next(&self) -> Option<Due> {
        match self {
            Self::Healthy { next } => *next,
            Self::Pending { order, .. } => Some(*order),
            Self::Faulty { .. } => None,
        }
    }

    /// When the condition changes by itself, if it does.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Healthy { .. } | Self::Pending { .. } => self.next().map(|due| due.at),
            Self::Faulty { until, .. } => *until,
        }
    }
}
