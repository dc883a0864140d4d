//! Why a run could not be finished.

use std::fmt;
use std::time::Duration;

use crate::machine::MachineError;
use crate::model::clock::Human;
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
    #[error("{0}. Paths in a scenario are relative to the scenario's own directory")]
    File(String),
    /// The scenario wants the unit enabled, and it has nothing that says for what.
    #[error("systemd cannot enable {unit}: {said}")]
    NotEnabled {
        /// The unit.
        unit: String,
        /// What systemctl said.
        said: String,
    },
    /// Certificates that clients are to trust cannot be had.
    #[error("{0}")]
    Certificates(String),
    /// There are not enough descriptors for a load.
    #[error(
        "[load] needs {wanted} descriptors, and this process may have {limit}: raise that (ulimit -Hn {wanted}; LimitNOFILE= of a \
        unit), or say a lower rate, a shorter timeout or fewer connections"
    )]
    Descriptors {
        /// How many.
        wanted: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The journal could not be followed to the end.
    #[error("the machine broke: {0}")]
    Journal(String),
    /// The recording could not be written.
    #[error(transparent)]
    Recording(#[from] WriteError),
    /// A file of the scenario cannot be put where it is to be.
    #[error("{target} cannot be put into the machine: {reason}")]
    Target {
        /// Where in the machine.
        target: String,
        /// Why not.
        reason: String,
    },
    /// systemd does not even try to start the unit.
    #[error("systemd does not start {unit}: {said}")]
    NotStarted {
        /// The unit.
        unit: String,
        /// What systemctl said.
        said: String,
    },
    /// systemd has left the unit alone, for the unit says so.
    #[error("systemd has skipped {unit}: {conditions} is not so in the machine")]
    Unmet {
        /// The unit.
        unit: String,
        /// The conditions, as the unit has them.
        conditions: String,
    },
    /// systemd did not understand what the scenario has it do.
    #[error("systemd ignores what [service] override, or --set, has{}", Log(.0))]
    Ignored(Vec<String>),
    /// The fault is for another service.
    #[error(
        "{fault} is what buggy_server does to itself on command, and it did not: {said}. What needs no cooperation of the \
        service is \"sigstop\". Where the service is buggy_server, [service] files has to have \"{client}\" = \
        \"bin:buggy_server\""
    )]
    NotBuggy {
        /// The fault's name.
        fault: String,
        /// Where its client has to be.
        client: &'static str,
        /// What went wrong.
        said: String,
    },
    /// The fault is not for this service, or what was decided about it is not.
    #[error("{fault} could not be injected: {reason}")]
    NotInjected {
        /// The fault's name.
        fault: &'static str,
        /// Why not.
        reason: String,
    },
    /// What was done to the machine is still done to it.
    #[error("{fault} could not be healed: {error}")]
    NotHealed {
        /// The fault's name.
        fault: &'static str,
        /// Why not.
        error: MachineError,
    },
    /// The service is up and nobody can ask it.
    #[error(
        "the service is up, but {url} gave no good answer within {limit} ({seen}). Is [observe] right? A service that takes \
        longer to serve after its start has [ready] within = \"1min\".{log}",
        limit = Human(*.limit), log = Log(.log)
    )]
    NotServed {
        /// What was asked.
        url: String,
        /// For how long.
        limit: Duration,
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
