//! What is looked at, and what it is set to.

use serde::Serialize;

use crate::model::bound::Bounds;
use crate::model::case::CaseId;
use crate::model::phase::Phase;
use crate::model::settings::{self, OnHang};

/// What is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scene {
    /// Whether more is to come.
    pub live: bool,
    /// The page's title.
    pub title: String,
    /// The unit's name.
    pub unit: String,
    /// What it is about, in a sentence.
    pub description: String,
    /// `namespace`, `docker`, …
    pub backend: String,
    /// systemd's version.
    pub systemd: String,
    /// The machine's name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The time of day at this telling's moment, in microseconds since 1970; absent where a recording does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_usec: Option<u64>,
    /// Where people reach the service itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `hangproof` and its version.
    pub version: String,
    /// What was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What the unit and its guard are set to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// In which case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// WatchdogSec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchdog_usec: Option<u64>,
    /// What `sd-watchdog` does about a hang.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_hang: Option<OnHang>,
    /// Whether `sd-watchdog` is on duty.
    pub guarded: bool,
    /// `always`, `on-failure`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// How long each phase of a recovery may take.
    pub bounds: Limits,
}

/// How long each phase may take at most. An absent one has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the phases' names")]
pub struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detect_usec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kill_usec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_usec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_usec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_usec: Option<u64>,
}

impl Limits {
    /// One of them.
    pub fn get(&self, phase: Phase) -> Option<u64> {
        match phase {
            Phase::Detect => self.detect_usec,
            Phase::Kill => self.kill_usec,
            Phase::Restart => self.restart_usec,
            Phase::Start => self.start_usec,
            Phase::Recovery => self.recovery_usec,
            Phase::Outage => None,
        }
    }
}

impl From<&Bounds> for Limits {
    fn from(bounds: &Bounds) -> Self {
        let of = |phase| bounds.timer(phase).map(|bound| super::usec(bound.at_most));
        Self {
            detect_usec: of(Phase::Detect),
            kill_usec: of(Phase::Kill),
            restart_usec: of(Phase::Restart),
            start_usec: of(Phase::Start),
            recovery_usec: bounds.recovery().map(super::usec),
        }
    }
}

impl From<&settings::Settings> for Settings {
    fn from(settings: &settings::Settings) -> Self {
        Self {
            case: None,
            watchdog_usec: settings.watchdog_usec,
            on_hang: settings.guard.as_ref().map(|guard| guard.on_hang),
            guarded: settings.guard.is_some(),
            restart: Some(settings.restart.to_string()),
            bounds: Limits::from(&Bounds::of(settings)),
        }
    }
}
