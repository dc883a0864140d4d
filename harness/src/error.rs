//! What can go wrong with the program as a whole, and the exit code that says so.

use std::path::PathBuf;

use crate::machine::MachineError;
use crate::model::case::CaseId;
use crate::model::claim::Claim;
use crate::model::recording::RecordingError;
use crate::model::result::RunResult;
use crate::programs::ProgramError;
use crate::report::ReportError;
use crate::report::results::ResultsError;
use crate::run::RunError;
use crate::scenario::ScenarioError;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// There is no fault of that name.
    #[error("there is no fault \"{name}\"{hint}")]
    NoFault {
        /// As typed.
        name: String,
        /// What was meant, perhaps.
        hint: String,
    },
    /// A report cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// What there is to say cannot be printed.
    #[error("standard output cannot be written to: {0}")]
    Output(std::io::Error),
    /// A recording cannot be replayed.
    #[error("{} cannot be replayed: {source}", .path.display())]
    Replay {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: RecordingError,
    },
    /// A program is missing.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The run could not be finished.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No machine, or it broke.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The page cannot be served.
    #[error(transparent)]
    Page(#[from] crate::page::server::Error),
    /// A report cannot be read back.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// Two reports are not of the same.
    #[error("{} and {} cannot be compared: {reason}", .before.display(), .after.display())]
    Incomparable {
        /// The first.
        before: PathBuf,
        /// The second.
        after: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A recording cannot go on.
    #[error("{} cannot be resumed: {reason}", .path.display())]
    Resume {
        /// As it was named.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A run cannot be resumed.
    #[error(
        "case {case} was made with the seed {was}, and is to be made with {is}. Give the same --seed to --resume"
    )]
    Seed {
        /// The case.
        case: CaseId,
        /// As it was made.
        was: u64,
        /// As it is to be made.
        is: u64,
    },
    /// A claim cannot be shown.
    #[error("\"{claim}\" can never be shown of {scenario}: in its unit there is no such time")]
    Claim {
        /// The claim.
        claim: Claim,
        /// The scenario's name.
        scenario: String,
    },
    /// It was told already, where it happened; it exits with this code.
    #[error("exit code {0}")]
    Told(u8),
    /// Signals cannot be listened to.
    #[error("signals cannot be listened to: {0}")]
    Signals(std::io::Error),
}

/// The exit code of verdicts, as documented in `--help`: a fail is one whatever else is unsound.
pub fn of_verdicts(runs: &[RunResult]) -> u8 {
    of_words(&runs.iter().map(RunResult::word).collect::<Vec<_>>())
}

/// The same of the words of verdicts.
pub fn of_words(words: &[&str]) -> u8 {
    let has = |word| words.contains(&word);
    match (has("fail"), has("unsound")) {
        (true, _) => 1,
        (false, true) => BROKE,
        (false, false) => 0,
    }
}

/// The exit code of an instrument that broke, or was late, so that there is no verdict.
const BROKE: u8 = 4;

impl Error {
    /// Whether the user has read it already.
    pub fn is_told(&self) -> bool {
        matches!(self, Self::Told(_))
    }

    /// The exit code, as documented in `--help`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Told(code) => *code,
            Self::Scenario(_)
            | Self::NoFault { .. }
            | Self::Program(_)
            | Self::Report(_)
            | Self::Output(_)
            | Self::Replay { .. }
            | Self::Results(_)
            | Self::Incomparable { .. }
            | Self::Resume { .. }
            | Self::Seed { .. }
            | Self::Claim { .. }
            | Self::Page(_)
            | Self::Run(
                RunError::Unit(..)
                | RunError::File(_)
                | RunError::Certificates(_)
                | RunError::Descriptors { .. }
                | RunError::NotEnabled { .. }
                | RunError::Target { .. }
                | RunError::NotStarted { .. }
                | RunError::Unmet { .. }
                | RunError::Ignored(_)
                | RunError::NotBuggy { .. }
                | RunError::NotInjected { .. }
                | RunError::NotServed { .. }
                | RunError::NotGuarded { .. }
                | RunError::Recording(_),
            ) => 2,
            Self::Machine(error) | Self::Run(RunError::Machine(error)) => of_machine(error),
            Self::Run(RunError::Interrupted) => crate::interrupt::EXIT_CODE,
            Self::Run(RunError::Journal(_) | RunError::NotHealed { .. }) | Self::Signals(_) => BROKE,
        }
    }
}

fn of_machine(error: &MachineError) -> u8 {
    match error {
        MachineError::Unavailable { .. } | MachineError::Boot { .. } => 3,
        MachineError::Command { .. } | MachineError::Broken { .. } => BROKE,
    }
}
