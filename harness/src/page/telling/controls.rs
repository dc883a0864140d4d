//! What can be done to the service, live.

use serde::Serialize;

use crate::model::settings::OnHang;

/// What can be done to the service, and what was done last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Controls {
    /// Whether `sd-watchdog` is on duty.
    pub watchdog: bool,
    /// What it does about a hang.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_hang: Option<OnHang>,
    /// WatchdogSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog_usec: Option<u64>,
    /// Why buttons wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// The faults in effect.
    pub active: Vec<String>,
    /// The faults that there are.
    pub faults: Vec<Choice>,
    /// What was done last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Deed>,
}

/// A fault that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// What it does, in a line.
    pub says: String,
    /// What recovery to expect.
    pub expect: String,
    /// Whether it can be healed.
    pub heals: bool,
    /// `inside` of the service's program, or `outside`.
    pub r#where: String,
    /// Whether it can be injected now.
    pub available: bool,
    /// Why it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Deed {
    /// `inject`, `heal`, …
    pub deed: String,
    /// Whether it worked.
    pub ok: bool,
    /// What came of it, in a sentence.
    pub says: String,
}
