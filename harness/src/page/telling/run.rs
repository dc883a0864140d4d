//! A scenario's trials, of a run that is over.

use serde::Serialize;

/// A scenario's trials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The scenario's name.
    pub scenario: String,
    /// Its question.
    pub question: String,
    /// `pass`, `fail`, `skip` or `unsound`.
    pub verdict: String,
    /// How many trials were as expected.
    pub passed: usize,
    /// How many say something of the service.
    pub sound: usize,
    /// How many were made.
    pub of: usize,
    /// Why there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Why it was not made to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broke: Option<String>,
    /// The command that makes it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// Where the evidence of what did not pass is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The last lines of the journal, of the first trial that did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub journal: Vec<String>,
    /// systemd's version.
    pub systemd: String,
    /// `namespace`, `docker`, …
    pub backend: String,
    /// The slowest recovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest_usec: Option<u64>,
}
