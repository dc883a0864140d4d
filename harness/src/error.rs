//! What can go wrong with the program as a whole, and the exit code that says so.

use std::path::PathBuf;

use crate::machine::MachineError;
use crate::model::recording::RecordingError;
use crate::programs::ProgramError;
use crate::report::ReportError;
use crate::run::RunError;
use crate::scenario::ScenarioError;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
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
    /// Signals cannot be listened to.
    #[error("signals cannot be listened to: {0}")]
    Signals(std::io::Error),
}

impl Error {
    /// The exit code, as documented in `--help`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Scenario(_)
            | Self::Program(_)
            | Self::Report(_)
            | Self::Output(_)
            | Self::Replay { .. }
            | Self::Run(
                RunError::Unit(..)
                | RunError::File { .. }
                | RunError::Target { .. }
                | RunError::NotStarted { .. }
                | RunError::Unmet { .. }
                | RunError::Ignored(_)
                | RunError::NotBuggy { .. }
                | RunError::NotServed { .. }
                | RunError::NotGuarded { .. }
                | RunError::Recording(_),
            ) => 2,
            Self::Machine(error) | Self::Run(RunError::Machine(error)) => of_machine(error),
            Self::Run(RunError::Interrupted) => crate::interrupt::EXIT_CODE,
            Self::Run(RunError::Journal(_)) | Self::Signals(_) => 4,
        }
    }
}

fn of_machine(error: &MachineError) -> u8 {
    match error {
        MachineError::Unavailable { .. } | MachineError::Boot { .. } => 3,
        MachineError::Command { .. } | MachineError::Broken { .. } => 4,
    }
}
