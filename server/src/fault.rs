//! The catalogue of faults: what can be done to this server, and what recovery to expect.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// Something that can be done to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Requests are read and never answered.
    Mute,
    /// Connections are no longer accepted.
    AcceptStall,
    /// Every worker waits for a lock that another one holds.
    Deadlock,
    /// Every worker burns CPU time in a loop.
    Spin,
    /// The process aborts.
    Crash,
    /// Every request is answered with an error.
    Error,
}

/// What brings the service back after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// A watchdog that probes the service notices, and has it restarted.
    Watchdog,
    /// The process exits by itself; systemd sees that without help.
    Exit,
}

impl Fault {
    /// Every fault, in the order in which they are listed.
    pub const ALL: [Self; 6] =
        [Self::Mute, Self::AcceptStall, Self::Deadlock, Self::Spin, Self::Crash, Self::Error];

    /// The faults after which the process lives but does not serve: what is drawn from unless `--faults` says otherwise.
    pub const HANGS: [Self; 4] = [Self::Mute, Self::AcceptStall, Self::Deadlock, Self::Spin];

    /// The name by which people and programs order it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::AcceptStall => "accept-stall",
            Self::Deadlock => "deadlock",
            Self::Spin => "spin",
            Self::Crash => "crash",
            Self::Error => "error",
        }
    }

    /// What it does, in one sentence.
    pub const fn does(self) -> &'static str {
        match self {
            Self::Mute => "reads every request and never answers",
            Self::AcceptStall => "stops accepting connections, so that the listen backlog fills up",
            Self::Deadlock => "blocks every worker thread for good, each on a mutex that the next one holds",
            Self::Spin => "keeps every worker thread busy in a loop that never yields",
            Self::Crash => "aborts the process with SIGABRT",
            Self::Error => "answers every request with status 500",
        }
    }

    /// Whether the server can end it without being restarted.
    pub const fn healable(self) -> bool {
        match self {
            Self::Mute | Self::AcceptStall | Self::Spin | Self::Error => true,
            Self::Deadlock | Self::Crash => false,
        }
    }

    /// What brings the service back, if nobody heals the fault.
    pub const fn recovery(self) -> Recovery {
        match self {
            Self::Mute | Self::AcceptStall | Self::Deadlock | Self::Spin | Self::Error => Recovery::Watchdog,
            Self::Crash => Recovery::Exit,
        }
    }

    /// Whether the process lives but does not serve while this is active.
    pub fn is_hang(self) -> bool {
        Self::HANGS.contains(&self)
    }
}

/// There is no fault of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called {name:?}{}; there are: {}", hint(*.nearest), names())]
pub struct UnknownFault {
    /// The name that was given.
    pub name: String,
    /// The fault that was probably meant.
    pub nearest: Option<Fault>,
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault { name: name.to_owned(), nearest: nearest(name) };
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(unknown)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

fn nearest(name: &str) -> Option<Fault> {
    /// Below this, a suggestion is more puzzling than none.
    const ALIKE: f64 = 0.7;
    Fault::ALL
        .into_iter()
        .map(|fault| (strsim::jaro_winkler(name, fault.name()), fault))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, fault)| fault)
}

fn hint(nearest: Option<Fault>) -> String {
    nearest.map(|fault| format!(" (did you mean {:?}?)", fault.name())).unwrap_or_default()
}

fn names() -> String {
    Fault::ALL.map(Fault::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_own_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_nearest_and_the_list() {
        let error = "acept_stall".parse::<Fault>().unwrap_err();
        assert_eq!(error.nearest, Some(Fault::AcceptStall));
        assert_eq!(
            error.to_string(),
            "no fault is called \"acept_stall\" (did you mean \"accept-stall\"?); \
             there are: mute, accept-stall, deadlock, spin, crash, error"
        );
    }

    #[test]
    fn a_name_like_no_other_gets_no_suggestion() {
        assert_eq!("quux".parse::<Fault>().unwrap_err().nearest, None);
    }
}
