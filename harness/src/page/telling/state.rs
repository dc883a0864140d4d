//! How the service is.

use serde::Serialize;

use crate::model::case::CaseId;
use crate::model::clock::Usec;

/// How the service is, from the telling's moment on: what comes to be known late is told for its own time. Of several of one case for one
/// time the one that was told last is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// In a word.
    pub word: Word,
    /// Since when.
    pub since: Usec,
    /// In which case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// Its main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When that was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Usec>,
    /// How often it was started again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// What `sd-watchdog` says (`STATUS=`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// In a sentence.
    pub says: String,
}

/// How a service is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Clients are served.
    Healthy,
    /// They are not, and systemd thinks that the service is active.
    Hung,
    /// systemd has noticed, and the process is not gone yet.
    Killed,
    /// It is gone, and will be started again.
    Restarting,
    /// It is being started.
    Starting,
    /// systemd has given it up.
    Failed,
    /// It ended, and nothing is to start it again.
    Stopped,
    /// Nothing is known.
    Unknown,
}
