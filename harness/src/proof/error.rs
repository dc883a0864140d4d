//! Why a proof was not made.

use std::fmt;

use super::notes::Notes;
use super::proven::{kept, shown};
use crate::error::Error;
use crate::machine::MachineError;
use crate::model::recording::Recording;
use crate::model::result::RunResult;
use crate::run::RunError;
use crate::scenario::{Mistake, ScenarioError};

/// Why there is no answer. It is printed by `Debug` as by `Display`: a test that returns it, or unwraps it, is to be read.
#[derive(thiserror::Error)]
pub enum ProofError {
    /// It cannot be asked like this: everything that is wrong, each with the method that said it.
    #[error("this cannot be proved as it is asked:\n{}", ScenarioError::lines(.0))]
    Mistakes(Vec<Mistake>),
    /// Nothing can be booted here. [`or_skip`](super::Proof::or_skip) makes it a skip.
    #[error(
        "no machine can be booted here: {reason}. {remedy}\n.or_skip() makes that a skip, where CI is not in the environment"
    )]
    NoMachine {
        /// What is missing.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// The machine broke, or the unit or its programs are not what can be tried.
    #[error("{source}{}{so_far}", if .so_far.is_empty() { "" } else { "\nUntil then:\n\n" })]
    Broke {
        /// What happened.
        source: Box<Error>,
        /// The trials, also the one that it broke off, with their timelines, and what there is to know besides.
        so_far: String,
    },
}

impl ProofError {
    pub(super) fn of(error: Error, recording: &[u8], notes: &Notes) -> Self {
        match error {
            Error::Machine(MachineError::Unavailable { reason, remedy })
            | Error::Run(RunError::Machine(MachineError::Unavailable { reason, remedy })) => {
                Self::NoMachine { reason, remedy }
            }
            source => Self::Broke { source: Box::new(source), so_far: so_far(recording) + &notes.text() },
        }
    }
}

/// The trials of a recording, and how it is replayed where it holds a whole one.
fn so_far(recording: &[u8]) -> String {
    let mut stories = Recording::begun(recording, |_| {}).map(|(stories, _)| stories).unwrap_or_default();
    stories.sort_by_key(|story| story.plan.trial);
    for reason in stories.iter_mut().filter_map(|story| story.broke.as_mut()) {
        // The rest is what the error itself has just said.
        reason.truncate(reason.find('\n').unwrap_or(reason.len()));
    }
    let Some(run) = RunResult::of(&stories) else { return String::new() };
    let kept = stories.iter().any(|story| story.ended.is_some()).then(|| kept(&run, recording));
    format!("{run}\n{kept}", run = shown(&run), kept = kept.unwrap_or_default())
}

impl fmt::Debug for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
