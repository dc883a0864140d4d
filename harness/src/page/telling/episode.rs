//! A fault and what comes of it.

use serde::Serialize;

use crate::model::case::CaseId;
use crate::model::clock::Usec;
use crate::model::phase::Phase;
use crate::model::verdict::Verdict;

/// While a fault is in effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The case and the number of the fault in it, from 0.
    pub key: String,
    /// Its name.
    pub fault: String,
    /// Since when.
    pub from: Usec,
    /// Until when, where it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Usec>,
}

/// A fault and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Episode {
    /// The case and the number of the fault in it, from 0.
    pub key: String,
    /// In which case.
    pub case: CaseId,
    /// Of which scenario.
    pub scenario: String,
    /// The number of its trial, from 1.
    pub trial: u32,
    /// What was done to the service; absent where nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What is to come of it, in a sentence.
    pub expect: String,
    /// The injection.
    pub from: Usec,
    /// Whether nothing more will come of it.
    pub over: bool,
    /// The phases that are over.
    pub phases: Vec<Part>,
    /// The phase that goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<Phase>,
    /// Since when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_from: Option<Usec>,
    /// How many asks failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_requests: Option<u64>,
    /// Whether it was as expected: that of the whole trial, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Ruling>,
}

/// A phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which.
    pub phase: Phase,
    /// Its beginning.
    pub from: Usec,
    /// Its end.
    pub to: Usec,
    /// The longest that it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_usec: Option<u64>,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// `pass`, `fail`, `skip` or `unsound`.
    pub word: &'static str,
    /// Why it is no pass.
    pub reasons: Vec<String>,
    /// What happened, of a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

impl From<&Verdict> for Ruling {
    fn from(verdict: &Verdict) -> Self {
        let summary = match verdict {
            Verdict::Pass { summary } => Some(summary.clone()),
            _ => None,
        };
        Self { word: verdict.word(), reasons: verdict.reasons().to_vec(), summary }
    }
}
