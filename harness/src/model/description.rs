//! What was booted.

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
