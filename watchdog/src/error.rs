//! Everything that can stop `sd-watchdog` before or beside COMMAND.

use std::process::ExitCode;

use crate::child::SpawnError;
use crate::config::ConfigError;
use crate::environment::EnvironmentError;
use crate::exit_code;

/// Why `sd-watchdog` ended without a COMMAND to end like.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(
        "cannot {what}: {source}; look at the limits of the unit (LimitNOFILE=, TasksMax=, SystemCallFilter=)"
    )]
    System { what: &'static str, source: std::io::Error },
}

impl Error {
    /// The documented exit code, see [`exit_code`].
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_) | Self::Environment(_) => exit_code::USAGE,
            Self::Spawn(SpawnError::NotFound { .. }) => exit_code::NOT_FOUND,
            Self::Spawn(SpawnError::CannotRun { .. } | SpawnError::NulByte { .. }) => exit_code::CANNOT_RUN,
            Self::System { .. } => exit_code::SYSTEM,
        })
    }
}
