//! The one clock that programs on a machine share.

use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in microseconds: the clock of systemd's own timestamps, so that the two can be compared.
pub fn monotonic_usec() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // The clock starts at boot and never goes back, so that neither part is ever negative.
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1_000
}
