//! Figures for Prometheus: over HTTP (`--metrics`), and as a file for node_exporter (`--metrics-file`).
//!
//! The figures are numbers in fixed places: counting costs a few nanoseconds and allocates nothing. They are turned into
//! text only when somebody asks. The set of labels is fixed, and all of them are there from the start with 0, so that
//! `rate()` sees the first event. Every figure carries the unit's name, since node_exporter merges the files of all units.
//!
//! The text format and the little HTTP it takes are written out here rather than taken from prometheus-client and hyper,
//! which add 410 KiB to the program and take a lock and a lookup for each count.

mod exporter;
mod figures;
mod file;
mod histogram;
mod request;
mod server;
mod text;

pub use self::exporter::{Exporter, ExporterError};
pub use self::figures::Metrics;

/// Where the service stands, as the label `state` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceState {
    /// No probe was healthy yet.
    Starting,
    /// The last probe was healthy.
    Watching,
    /// The last probe was not.
    Unhealthy,
    /// Probes cannot be made, which says nothing of the service.
    CannotProbe,
    /// A hang was found.
    Hung,
    /// It was asked to stop, or has ended.
    Stopping,
    /// There is nobody to tell: it is not probed.
    Unguarded,
}

impl ServiceState {
    /// All, in the order they are shown in.
    pub const ALL: [Self; 7] = [
        Self::Starting,
        Self::Watching,
        Self::Unhealthy,
        Self::CannotProbe,
        Self::Hung,
        Self::Stopping,
        Self::Unguarded,
    ];

    /// The value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Watching => "watching",
            Self::Unhealthy => "unhealthy",
            Self::CannotProbe => "cannot_probe",
            Self::Hung => "hung",
            Self::Stopping => "stopping",
            Self::Unguarded => "unguarded",
        }
    }
}
