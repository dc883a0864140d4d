//! What was booted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What was booted, for people and for reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// `namespace` or `docker`.
    pub backend: String,
    /// systemd's version as it calls itself, `252` or `257.9`.
    pub systemd: String,
    /// From the first system call to PID 1's `READY=1`, in milliseconds.
    pub boot_ms: f64,
}

/// Milliseconds in whole microseconds: as many digits as a reader takes back as they were written.
pub fn in_ms(length: Duration) -> f64 {
    let usec = u32::try_from(length.as_micros()).unwrap_or(u32::MAX);
    f64::from(usec) / 1e3
}
