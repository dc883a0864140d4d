//! The catalogue of faults: what can be done to this server, and what recovery to expect.
//!
//! The [`catalogue`] is the one table that everybody reads: the control endpoint, the command line, the page, the README and
//! the harness. A [`parameter`] is what can be said of a fault beyond its name.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

pub mod catalogue;
pub mod parameter;

pub use self::catalogue::CATALOGUE;
pub use self::parameter::{BadArgument, Injection, Parameter, Unit};

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
    /// Every worker waits for a peer that says nothing.
    BlockRuntime,
    /// Answers begin, and never end.
    Drip,
    /// The health check is answered, and nothing else.
    Half,
    /// Every request is answered with an error.
    Error,
    /// Every request is answered with the body of another.
    WrongBody,
    /// No descriptor is left for a connection.
    FdLeak,
    /// More and more memory is taken.
    MemoryLeak,
    /// Mute, and deaf to signals.
    Stubborn,
    /// Answers come late, but they come.
    Slow,
    /// Mute, for a moment.
    Brief,
    /// Every worker is blocked, and systemd is told that all is well.
    SelfPing,
    /// The process aborts.
    Crash,
    /// The process exits.
    Exit,
    /// The process violates memory, as far as anybody can tell.
    Segfault,
}

/// What brings the service back after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Recovery {
    /// A watchdog that probes the service notices, and has it restarted.
    Watchdog,
    /// The process exits by itself; systemd sees that without help.
    Exit,
    /// Nothing: there is nothing to recover from, and a service that is restarted all the same was restarted wrongly.
    None,
}

/// What there is to know of a fault.
#[derive(Debug)]
pub struct Entry {
    /// Which one.
    pub fault: Fault,
    /// The name by which people and programs order it.
    pub name: &'static str,
    /// What it does, in one sentence that begins with the server as its subject.
    pub does: &'static str,
    /// What can be said of it beyond its name.
    pub parameters: &'static [Parameter],
    /// Whether the process lives but does not serve while it is active, as far as at least one client can tell.
    pub is_hang: bool,
    /// Whether the server can end it without being restarted.
    pub healable: bool,
    /// Without what it cannot be injected; none if nothing is needed but an order.
    pub needs: Option<&'static str>,
    /// By what a watchdog finds it; none if any probe of this server will do.
    pub found_by: Option<&'static str>,
    /// What brings the service back, if nobody heals it.
    pub recovery: Recovery,
}

impl Fault {
    /// Every fault, in the order in which they are listed.
    pub const ALL: [Self; CATALOGUE.len()] = catalogue::FAULTS;

    /// What a random hang is drawn from unless `--faults` says otherwise. It stays as it is, since a seed means the same for ever.
    pub const HANGS: [Self; 4] = [Self::Mute, Self::AcceptStall, Self::Deadlock, Self::Spin];

    /// What there is to know of it.
    pub const fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// The name by which people and programs order it.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// What it does, in one sentence.
    pub const fn does(self) -> &'static str {
        self.entry().does
    }

    /// Whether the server can end it without being restarted.
    pub const fn healable(self) -> bool {
        self.entry().healable
    }

    /// What brings the service back, if nobody heals the fault.
    pub const fn recovery(self) -> Recovery {
        self.entry().recovery
    }

    /// Whether the process lives but does not serve while this is active.
    pub const fn is_hang(self) -> bool {
        self.entry().is_hang
    }
}

/// There is no fault of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called {name:?}{}; there are: {}", hint(nearest.map(Fault::name)), names())]
pub struct UnknownFault {
    /// The name that was given.
    pub name: String,
    /// The fault that was probably meant.
    pub nearest: Option<Fault>,
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        let unknown = || UnknownFault {
            name: name.to_owned(),
            nearest: nearest(name, Self::ALL.into_iter().map(|fault| (fault.name(), fault))),
        };
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

/// The one of those `known` whose name is most like `name`.
fn nearest<T>(name: &str, known: impl Iterator<Item = (&'static str, T)>) -> Option<T> {
    /// Below this, a suggestion is more puzzling than none.
    const ALIKE: f64 = 0.7;
    known
        .map(|(other, value)| (strsim::jaro_winkler(name, other), value))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, value)| value)
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

/// Every name, as people read a list.
pub fn names() -> String {
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
        let message = "no fault is called \"acept_stall\" (did you mean \"accept-stall\"?); there are: mute, accept-stall";
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(error.to_string().ends_with(&names()), "{error}");
    }

    #[test]
    fn a_name_like_no_other_gets_no_suggestion() {
        assert_eq!("quux".parse::<Fault>().unwrap_err().nearest, None);
    }

    #[test]
    fn what_is_drawn_from_are_hangs() {
        assert!(Fault::HANGS.into_iter().all(Fault::is_hang));
    }
}
