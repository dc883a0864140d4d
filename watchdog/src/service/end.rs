//! How a process ended, and how to end in the same way.

use std::fmt;
use std::process::ExitCode;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

use crate::kernel::raw;
use crate::service::signals;
use crate::words::exit_code;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exited(u8),
    /// By a signal.
    Killed {
        /// As in signal(7).
        signal: i32,
    },
}

impl End {
    /// Ends this process in the same way: does not return where that is a signal, unless the signal cannot be raised.
    ///
    /// No core is dumped for it: it would be of the wrong process. A limit of 0 alone does not keep one from
    /// systemd-coredump, so this process is made undumpable as well (core(5)).
    pub fn reproduce(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode::from(code),
            Self::Killed { signal } => {
                // Where these fail, a core too many is the lesser evil.
                let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
                let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
                raw::die_by(signal);
                let number = u8::try_from(signal).unwrap_or(u8::MAX - exit_code::SIGNAL_BASE);
                ExitCode::from(exit_code::SIGNAL_BASE.saturating_add(number))
            }
        }
    }

    /// `exited with code 2`, `was killed by SIGKILL`
    pub fn verb(self) -> String {
        match self {
            Self::Exited(code) => format!("exited with code {code}"),
            Self::Killed { signal } => format!("was killed by {}", signals::name(signal)),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "COMMAND {}", self.verb())
    }
}
