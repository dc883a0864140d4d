//! Everything that can stop `sd-watchdog` before or beside COMMAND.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::child::SpawnError;
use crate::config::ConfigError;
use crate::environment::EnvironmentError;
use crate::exit_code;
use crate::guard::GuardError;
use crate::metrics::ExporterError;
use crate::probe::ProbeError;
use crate::unit::UnitError;

/// Why `sd-watchdog` ended without a COMMAND to end like.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message documents the variant")]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Exporter(#[from] ExporterError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error(transparent)]
    Unit(#[from] UnitError),
    #[error("cannot {what} {path}: {source}", path = path.display())]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot print: {source}")]
    Print { source: std::io::Error },
    #[error(
        "cannot {what}: {source}; look at the limits of the unit (LimitNOFILE=, TasksMax=, SystemCallFilter=)"
    )]
    System { what: &'static str, source: std::io::Error },
}

impl Error {
    /// The documented exit code, see [`exit_code`].
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Guard(error) => return error.exit_code(),
            Self::Config(_) | Self::Probe(_) | Self::Environment(_) | Self::Unit(_) => exit_code::USAGE,
            Self::Spawn(SpawnError::NotFound { .. }) => exit_code::NOT_FOUND,
            Self::Spawn(SpawnError::CannotRun { .. } | SpawnError::NulByte { .. }) => exit_code::CANNOT_RUN,
            Self::Exporter(_) | Self::File { .. } | Self::Print { .. } | Self::System { .. } => {
                exit_code::SYSTEM
            }
        })
    }
}
