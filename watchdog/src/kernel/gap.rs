//! What a report lacks, and why.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use rustix::io::Errno;

/// What was to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    ControlGroup,
    Processes,
    Stat,
    Calls,
    WaitChannels,
    Stacks,
    Descriptors,
    CommandLines,
    AcceptQueues,
    AcceptLimits,
    Pressure,
    GroupMemory,
    GroupTasks,
}

impl Field {
    /// As people name it.
    fn name(self) -> &'static str {
        match self {
            Self::ControlGroup => "control group",
            Self::Processes => "processes",
            Self::Stat => "states",
            Self::Calls => "system calls",
            Self::WaitChannels => "wait channels",
            Self::Stacks => "kernel stacks",
            Self::Descriptors => "open files",
            Self::CommandLines => "command lines",
            Self::AcceptQueues => "accept queues",
            Self::AcceptLimits => "limits of accept queues",
            Self::Pressure => "pressure",
            Self::GroupMemory => "memory of the unit",
            Self::GroupTasks => "tasks of the unit",
        }
    }

    /// What would help against a refusal.
    fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Stacks => Some("needs CAP_SYS_ADMIN"),
            Self::Calls | Self::WaitChannels | Self::Descriptors => {
                Some("needs the service's user and a process that may be traced, or CAP_SYS_PTRACE")
            }
            Self::AcceptQueues | Self::AcceptLimits => Some("needs AF_NETLINK in RestrictAddressFamilies="),
            _ => None,
        }
    }
}

/// One kind of thing that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// What.
    pub field: Field,
    /// Why.
    pub why: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field.name(), self.why)
    }
}

/// Gaps as they are met: the first of each kind is kept.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    met: BTreeMap<Field, String>,
    is_news: bool,
}

impl Gaps {
    /// The kernel refused to say it. A process that is gone is no gap.
    pub(crate) fn refused(&mut self, field: Field, errno: Errno) {
        if errno != Errno::SRCH {
            self.note(field, refusal(field, errno));
        }
    }

    /// Something else is in the way.
    pub(crate) fn note(&mut self, field: Field, why: impl Into<String>) {
        if let Entry::Vacant(gap) = self.met.entry(field) {
            gap.insert(why.into());
            self.is_news = true;
        }
    }

    /// The same, but it says more than what was said of this before, if that was something else.
    pub(crate) fn note_foremost(&mut self, field: Field, why: &str) {
        if self.met.get(&field).is_none_or(|said| said != why) {
            self.met.insert(field, why.to_owned());
            self.is_news = true;
        }
    }

    /// All of them, in the order in which they are shown, if there is news since the last call.
    pub(crate) fn news(&mut self) -> Option<Vec<Gap>> {
        if !std::mem::take(&mut self.is_news) {
            return None;
        }
        Some(self.met.iter().map(|(&field, why)| Gap { field, why: why.clone() }).collect())
    }
}

fn refusal(field: Field, errno: Errno) -> String {
    let because = because(errno);
    let is_refusal = matches!(errno, Errno::PERM | Errno::ACCESS | Errno::AFNOSUPPORT);
    match field.remedy().filter(|_| is_refusal) {
        Some(remedy) => format!("not readable ({because}): {remedy}"),
        None => format!("not readable ({because})"),
    }
}

/// An error as people read it, without its number.
pub(crate) fn because(error: impl Into<std::io::Error>) -> String {
    let text = error.into().to_string();
    text.find(" (os error").map_or(text.clone(), |end| text[..end].to_owned())
}
