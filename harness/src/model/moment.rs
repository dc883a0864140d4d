//! A moment: one fact as it arrived, with its time and its case. There is one producer of them, the conductor of a case, and
//! any number of equal consumers. A recording is made of nothing else: each moment is a line of it, a JSON object.
//!
//! A kind of moment that is not known here is passed over.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::ask::Streak;
use super::asks::Asks;
use super::case::{CaseId, Plan};
use super::clock::Usec;
use super::description::Description;
use super::entry::Entry;
use super::expect::Deed;
use super::load::Load;
use super::settings::Settings;
use super::third_witness::PidOne;

/// One fact.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// When.
    pub at: Usec,
    /// Of which case.
    pub case: CaseId,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What a moment tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "moment", rename_all = "snake_case")]
pub enum What {
    /// The case is to be made.
    Planned(Box<Plan>),
    /// There is a machine for it.
    Booted(Description),
    /// systemd has told the unit's settings; it may tell more of them later.
    Settings(Settings),
    /// The trial begins: what was before is none of it.
    Began,
    /// What a person should know of how the service was installed.
    Noted(Noted),
    /// The unit's files, as they are in force.
    Unit(Unit),
    /// Clients are watched from here on.
    Watched,
    /// The service is up and clients are served: from here on the trial's question is put.
    Steady,
    /// A fault was injected, not before this moment.
    Injected(Injected),
    /// A fault was healed; it was in effect until this moment at most.
    Healed(Healed),
    /// An entry about the unit was written into the journal.
    Journal(Journal),
    /// What became of clients' asks.
    Asks(Asks),
    /// The same as version 1 of recordings kept it: what was between the edges is lost.
    Clients(Streak),
    /// What became of the requests of a load.
    Load(Load),
    /// How the instrument itself did since the last of these, or since the trial began.
    Gauge(Gauge),
    /// For how long the service came to nothing, since somebody outside the machine had the CPUs.
    Stalled(Stalled),
    /// What PID 1 itself says of the unit.
    PidOne(Box<PidOne>),
    /// The instrument did not hear what there may have been to hear.
    Deaf(Because),
    /// There is nothing to try.
    Skipped(Because),
    /// The instrument broke.
    Broke(Because),
    /// The trial is over.
    Ended,
}

/// Of [`What::Injected`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injected {
    /// Its name.
    pub fault: String,
    /// The moment by which it was in effect, where that is not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Usec>,
    /// What becomes of the service.
    #[serde(default, skip_serializing_if = "Deed::is_hang")]
    pub deed: Deed,
}

/// Of [`What::Healed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healed {
    /// Its name.
    pub fault: String,
    /// The trial was over but for that: what comes of it is no longer asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_end: bool,
}

/// Of [`What::Noted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// A sentence.
    pub note: String,
}

/// Of [`What::Unit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// The unit file and its drop-ins, in the order in which systemd reads them.
    pub files: Vec<UnitFile>,
}

/// A file of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitFile {
    /// Where it is.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// Of [`What::Journal`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The entry, without what only identifies the host.
    pub entry: Entry,
}

/// Of [`What::Gauge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gauge {
    /// By how many microseconds the latest of the observer's asks was later than its schedule has it.
    pub observer_late_usec: u64,
    /// By how many the conductor took an input in after it was sent, at most.
    #[serde(default)]
    pub conductor_late_usec: u64,
    /// By how many an entry reached the conductor's inputs after it was written, at most: up to 250 ms on an idle host
    /// (`POST_CHANGE_TIMER_INTERVAL_USEC`, systemd, src/libsystemd/sd-journal/journal-file.c).
    #[serde(default)]
    pub journal_late_usec: u64,
}

/// Of [`What::Stalled`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stalled {
    /// It was looked at then, and again at the moment's own time.
    pub since: Usec,
    /// For so many microseconds between the two something of the service was to run, and nothing of it did nor anything in its machine: an
    /// average over the CPUs that they wanted. What a quota made them wait for is taken off; while a fault of the instrument's takes the
    /// CPUs nothing is told.
    pub usec: u64,
}

/// Of [`What::Deaf`], [`What::Skipped`] and [`What::Broke`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// Why, and what to do about it.
    pub reason: String,
}

/// What stands in every line of a recording.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    moment: Cow<'a, str>,
    at: Usec,
    case: CaseId,
}

impl Moment {
    /// Reads a line of a recording; [`None`]: a kind of moment that is not known here.
    pub fn read(line: &str) -> Result<Option<Self>, serde_json::Error> {
        // In two passes, so that nothing is kept aside until its kind is known: most lines are journal entries.
        let Head { moment, at, case } = serde_json::from_str(line)?;
        let what = match moment.as_ref() {
            "planned" => What::Planned(serde_json::from_str(line)?),
            "booted" => What::Booted(serde_json::from_str(line)?),
            "settings" => What::Settings(serde_json::from_str(line)?),
            "began" => What::Began,
            "noted" => What::Noted(serde_json::from_str(line)?),
            "unit" => What::Unit(serde_json::from_str(line)?),
            "watched" => What::Watched,
            "steady" => What::Steady,
            "injected" => What::Injected(serde_json::from_str(line)?),
            "healed" => What::Healed(serde_json::from_str(line)?),
            "journal" => What::Journal(serde_json::from_str(line)?),
            "asks" => What::Asks(serde_json::from_str(line)?),
            "clients" => What::Clients(serde_json::from_str(line)?),
            "load" => What::Load(serde_json::from_str(line)?),
            "gauge" => What::Gauge(serde_json::from_str(line)?),
            "stalled" => What::Stalled(serde_json::from_str(line)?),
            "pid_one" => What::PidOne(serde_json::from_str(line)?),
            "deaf" => What::Deaf(serde_json::from_str(line)?),
            "skipped" => What::Skipped(serde_json::from_str(line)?),
            "broke" => What::Broke(serde_json::from_str(line)?),
            "ended" => What::Ended,
            _ => return Ok(None),
        };
        Ok(Some(Self { at, case, what }))
    }
}
