//! What a scenario demands of a trial.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::parse_span;
use super::settings::Settings;

/// What a scenario demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// How the trial must end.
    pub outcome: Outcome,
    /// What must have ended the main process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// From the injection to READY, at most: a time span, or a directive of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_within: Option<String>,
    /// How long a service must stay undisturbed; two times WatchdogSec unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undisturbed_for: Option<String>,
    /// Whether `sd-watchdog` must have put a hang report into the journal before systemd acted, or none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang_report: Option<bool>,
}

/// How a trial must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The service is restarted and serves again.
    Restarted,
    /// Nothing happens to it; hung, where there is a fault, it is left as it is.
    Undisturbed,
    /// systemd gives up.
    Failed,
}

/// What ended the main process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// systemd's watchdog.
    Watchdog,
    /// The process itself.
    Exit,
}

impl Expectation {
    /// The limit in time; `None` if there is none or the directive it names is off.
    pub fn limit(&self, settings: &Settings) -> Option<Duration> {
        let within = self.recovery_within.as_deref()?;
        settings.span(within).or_else(|| parse_span(within))
    }

    /// How long a service must stay undisturbed.
    pub fn calm(&self, settings: &Settings) -> Duration {
        let given =
            self.undisturbed_for.as_deref().and_then(|span| settings.span(span).or_else(|| parse_span(span)));
        given.or_else(|| Some(settings.span("WatchdogSec")? * 2)).unwrap_or(Duration::from_secs(5))
    }
}
