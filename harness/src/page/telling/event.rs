//! What happened, and what the journal says beside.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::case::CaseId;
use crate::model::event::Kind;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// In which case.
    pub case: CaseId,
    /// What, as a report has it.
    pub event: Kind,
    /// The same in a few plain words.
    pub label: String,
    /// Who says so.
    pub source: Source,
    /// The journal's entry of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Entry>,
}

/// A line of the journal that is no event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Who says so.
    pub source: Source,
    /// What.
    pub message: String,
    /// How urgent, as syslog counts: 0 is an emergency, 7 for debugging.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// All fields that are not shown elsewhere.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// A journal entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it says.
    pub message: String,
    /// All else that it holds.
    pub fields: BTreeMap<String, String>,
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// PID 1.
    Systemd,
    /// Who guards the service.
    #[serde(rename = "sd-watchdog")]
    SdWatchdog,
    /// The service itself.
    Service,
    /// We: what we did, or saw of clients.
    Hangproof,
}
