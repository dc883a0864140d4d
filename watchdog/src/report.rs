//! The hang report: why did it hang? Collected before the service is killed, since afterwards nothing can be asked.
//!
//! ```text
//!  Scope ──► Collector ──► Snapshot ──► Report ──► journal entries, or a text
//!  whose?    a thread,     what came    what it    one summary for people,
//!            streaming     until then   suggests   one entry per process
//! ```
//!
//! A hung service can hang whoever looks at it: reading `/proc/PID/cmdline` waits for a lock of the process' address
//! space. So the [`Collector`] reads in a thread of its own, which is left behind if it gets stuck; it hands over each
//! process as soon as it is complete, and what can block comes last. [`Collector::gather`] returns at its deadline with
//! what there is, and the [`Snapshot`] says what is missing. From the snapshot on, everything is pure.
//!
//! A unit can have more processes than there is time for. What tells of the unit as a whole is read first, then one file of
//! each process; then process by process, the main one and those that run or are stuck before those that sleep.
//!
//! What cannot be read is said once per kind with the reason ([`Gap`](crate::kernel::gap::Gap)), not left out silently.

mod collector;
mod diagnosis;
mod entries;
mod figures;
mod make;
mod outlet;
mod recent;
mod scope;
mod snapshot;
mod summary;
mod table;

pub use self::collector::Collector;
pub use self::diagnosis::diagnose;
pub use self::entries::{COMMAND_MESSAGE_ID, command_entry};
pub use self::make::{Order, make};
pub use self::recent::Recent;
pub use self::scope::Scope;
pub use self::snapshot::Snapshot;
#[cfg(test)]
pub(crate) use self::{
    figures::{Figures, Throttled},
    snapshot::{Cut, Glance},
};

use std::fmt;
use std::time::{Duration, Instant};

use crate::systemd::scope::Scope as Manager;

/// What a report is made of, beside the snapshot.
#[derive(Debug, Clone)]
pub struct Context {
    /// The unit, and whose it is, where it is not the one that we run in: then the entries are filed under it as well.
    pub unit: Option<(Manager, String)>,
    /// Why it counts as hung, or why nothing is known of it.
    pub reason: String,
    /// That it hangs is known. Else it could not be probed, and systemd's own timer is about to act.
    pub is_certain: bool,
    /// The last probes, the oldest first.
    pub probes: Vec<ProbeRecord>,
}

/// One probe, for the report.
#[derive(Debug, Clone)]
pub struct ProbeRecord {
    /// When it ended.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// Healthy, or why not.
    pub outcome: Result<(), String>,
}

/// What all entries of one report share: 128 random bits, printed as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportId(u128);

impl ReportId {
    /// A new one.
    pub fn random() -> Self {
        Self(fastrand::u128(..))
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A snapshot with what it suggests.
#[derive(Debug, Clone)]
pub struct Report {
    /// Shared by all entries.
    pub id: ReportId,
    /// What was found.
    pub snapshot: Snapshot,
    /// Beside it.
    pub context: Context,
    /// See [`diagnose`].
    pub diagnosis: Option<String>,
}

impl Report {
    /// Draws the conclusion.
    pub fn new(snapshot: Snapshot, context: Context) -> Self {
        let diagnosis = diagnose(&snapshot);
        Self { id: ReportId::random(), snapshot, context, diagnosis }
    }

    /// For people: several lines, 60 or so at most, the reason and the diagnosis first. For where there is no journal;
    /// the [entries](Self::entries) have it as well.
    pub fn summary(&self) -> String {
        summary::render(self)
    }

    /// For journald: the summary, then one entry per process.
    pub fn entries(&self) -> Vec<crate::words::journal::Entry> {
        entries::all(self)
    }
}

#[cfg(test)]
mod tests;
