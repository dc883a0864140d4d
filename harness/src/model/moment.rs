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
use super::settings::Settings;

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
    /// Clients are watched from here on.
    Watched,
    /// The service is up and clients are served: from here on the trial's question is put.
    Steady,
    /// A fault was injected, not before this moment.
    Injected(Injected),
    /// journald received an entry about the unit.
    Journal(Journal),
    /// What became of clients' asks.
    Asks(Asks),
    /// The same as version 1 of recordings kept it: what was between the edges is lost.
    Clients(Streak),
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
}

/// Of [`What::Journal`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The entry, without what only identifies the host.
    pub entry: Entry,
}

/// Of [`What::Skipped`] and [`What::Broke`].
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
            "watched" => What::Watched,
            "steady" => What::Steady,
            "injected" => What::Injected(serde_json::from_str(line)?),
            "journal" => What::Journal(serde_json::from_str(line)?),
            "asks" => What::Asks(serde_json::from_str(line)?),
            "clients" => What::Clients(serde_json::from_str(line)?),
            "skipped" => What::Skipped(serde_json::from_str(line)?),
            "broke" => What::Broke(serde_json::from_str(line)?),
            "ended" => What::Ended,
            _ => return Ok(None),
        };
        Ok(Some(Self { at, case, what }))
    }
}
