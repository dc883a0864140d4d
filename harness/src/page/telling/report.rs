//! The hang report: what `sd-watchdog` saw of a hung service.

use serde::Serialize;

use crate::model::case::CaseId;

/// What `sd-watchdog` saw of a hung service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Its id in the journal (`HANGPROOF_REPORT_ID`), or what stands for it.
    pub key: String,
    /// In which case.
    pub case: CaseId,
    /// The main process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What it looks like, in a sentence.
    pub summary: String,
    /// What was found, line by line.
    pub lines: Vec<String>,
    /// Which threads stood where, those that stood at the same place together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<Thread>,
}

/// Where some threads stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thread {
    /// Its id, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// How many they are.
    pub count: u32,
    /// Their names.
    pub name: String,
    /// Their state, as `/proc` has it.
    pub state: String,
    /// Where in the kernel they stood.
    pub r#where: String,
    /// What that means.
    pub means: String,
}
