//! What stands in where the feature is off: no figures, nobody to show them to.

use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use super::State;
use crate::cli::OutsideArgs;
use crate::probe::Outcome;

/// Cannot happen.
pub type ExporterError = Infallible;

/// Counts nothing.
#[derive(Debug, Default)]
pub struct Metrics;

/// Shows nothing.
#[derive(Debug, Default)]
pub struct Exporter;

#[expect(missing_docs, reason = "the real one has them")]
impl Metrics {
    pub fn new(_unit: Option<&str>, _watchdog: Option<Duration>) -> Self {
        Self
    }
    pub fn probe(&self, _took: Duration, _outcome: &Outcome) {}
    pub fn discounted(&self) {}
    pub fn ping(&self) {}
    pub fn state(&self, _state: State) {}
    pub fn failures(&self, _in_a_row: u32) {}
    pub fn hang(&self) {}
    pub fn widened(&self) {}
    pub fn late(&self, _by: Duration) {}
    pub fn restarts(&self, _count: u32) {}
}

#[expect(clippy::unused_async, reason = "the interface of the real one")]
#[expect(missing_docs, reason = "the real one has them")]
impl Exporter {
    pub fn open(_args: &OutsideArgs) -> Result<Self, ExporterError> {
        Ok(Self)
    }
    pub async fn serve(&self, _metrics: &Metrics) -> Infallible {
        pending().await
    }
    pub fn update(&self, _metrics: &Metrics, _now: Instant, _changed: bool) {}
    pub async fn close(&self) {}
}
