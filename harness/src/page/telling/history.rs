//! The recoveries so far.

use serde::Serialize;

use crate::model::phase::Phase;

/// The recoveries so far, by fault and phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct History {
    /// In the order in which the faults came first, and of the phases.
    pub groups: Vec<Group>,
}

/// How long a phase took after a fault.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// The fault.
    pub fault: String,
    /// The phase.
    pub phase: Phase,
    /// In how many episodes it happened.
    pub n: usize,
    /// Of how many.
    pub of: usize,
    /// The shortest.
    pub min_usec: u64,
    /// The median.
    pub p50_usec: u64,
    /// Nine of ten are not longer; absent where there are too few to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90_usec: Option<u64>,
    /// Ninety-nine of a hundred are not longer; absent where there are too few to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_usec: Option<u64>,
    /// The longest.
    pub max_usec: u64,
    /// Between which the median of all is, at 95 % each; absent where there are too few to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_interval: Option<[u64; 2]>,
    /// The newest of them, oldest first.
    pub values: Vec<u64>,
    /// The longest that it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_usec: Option<u64>,
    /// How many recovered, with the phase recovery alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
}

/// How many recovered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Recovered {
    /// Of so many.
    pub of: usize,
    /// So many.
    pub n: usize,
    /// What part of all that can be, at 95 % each.
    pub interval: [f64; 2],
}
