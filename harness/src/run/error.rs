//! Why a run could not be finished.

use std::fmt;
use std::path::PathBuf;

use crate::machine::MachineError;
use crate::model::settings::UnitError;
use crate::record::WriteError;

/// Why a run could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No machine, or it broke.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The unit cannot be used.
    #[error("{0}{log}", log = Log(.1))]
    Unit(UnitError, Vec<String>),
    /// A file that the scenario names cannot be read.
    #[error("{} cannot be read: {source}. Paths in a scenario are relative to the scenario's own directory", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The journal could not be followed to the end.
    #[error("the machine broke: {0}")]
    Journal(String),
    /// The recording could not be written.
    #[error(transparent)]
    Recording(#[from] WriteError),
    /// The service is up and nobody can ask it.
    #[error("the service is ready, but {url} gave no good answer within 5 s ({seen}). Is [observe] right?{log}",
        log = Log(.log))]
    NotServed {
        /// What was asked.
        url: String,
        /// What came instead.
        seen: String,
        /// The journal's last lines about the unit.
        log: Vec<String>,
    },
    /// The guard beside the service does not see what clients see.
    #[error(
        "the service serves, but {guard}, its guard, has not seen it healthy within 5 s (its status: {status:?}). \
        Is [service] guard right?"
    )]
    NotGuarded {
        /// The guard's unit.
        guard: String,
        /// What it said last.
        status: String,
    },
    /// Ctrl-C, SIGTERM or SIGHUP.
    #[error("interrupted")]
    Interrupted,
}

struct Log<'a>(&'a [String]);

impl fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
