//! How `sd-watchdog` itself exits, where it does not exit as COMMAND did.
//!
//! These numbers are public: units name them in `RestartPreventExitStatus=` and `SuccessExitStatus=`.

/// `sd-watchdog check`: unhealthy.
pub const UNHEALTHY: u8 = 1;
/// The command line, the timing or the environment given by the manager is wrong. A restart will not help.
pub const USAGE: u8 = 2;
/// `sd-watchdog check`: the probe could not be made, which says nothing of the service.
pub const CANNOT_PROBE: u8 = 3;
/// The system refused something that `sd-watchdog` needs (`EX_SOFTWARE` of sysexits.h).
pub const SYSTEM: u8 = 70;
/// COMMAND was found but could not be run; as shells have it.
pub const CANNOT_RUN: u8 = 126;
/// COMMAND was not found; as shells have it.
pub const NOT_FOUND: u8 = 127;
/// Added to the number of a signal that COMMAND died by and that cannot be raised again.
pub const SIGNAL_BASE: u8 = 128;
